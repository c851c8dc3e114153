"""What an engine can hold, checked before a call starts: vocabulary, context, batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .checks import check_int, refuse
from .errors import ContextLengthExceeded, InvalidRequest
from .requests import BeamSearch, Request, Score


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a model and of its engine. Every method raises InvalidRequest, or ContextLengthExceeded."""

    vocab_size: int
    context_length: int
    max_batch: int

    def check_tokens(self, tokens: object) -> list[int]:
        """Token ids that a caller gave, as a list."""
        if isinstance(tokens, str | bytes) or not isinstance(tokens, Sequence):
            raise refuse("tokens", "be a list of token ids", tokens)
        for i, token in enumerate(tokens):
            check_int(f"tokens[{i}]", token, 0, self.vocab_size - 1)
        return list(tokens)

    def check_context(self, num_tokens: int, param: str) -> None:
        """A state of so many tokens; `param` would make it so long."""
        if num_tokens > self.context_length:
            message = f"`{param}` makes {num_tokens} tokens, but the context holds {self.context_length}"
            raise ContextLengthExceeded(message, param=param)

    def check_request(self, request: Request, have: int) -> None:
        """A request on a state of `have` tokens: what it adds must fit."""
        if isinstance(request, BeamSearch):
            param, more = "max_length", request.max_length
            check_int("num_beams", request.num_beams, 1, self.max_batch)
        elif isinstance(request, Score):
            param, more = "text", len(request.token_ids)
            if not more:
                raise InvalidRequest("`text` must not be empty", param="text")
        else:
            param, more = "max_tokens", request.max_tokens
        if have + more > self.context_length:
            left = f"{self.context_length - have}, what the context of {self.context_length} has left"
            raise ContextLengthExceeded(f"`{param}` must be at most {left}, got {more}", param=param)

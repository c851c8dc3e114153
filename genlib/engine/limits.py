"""The limits of an engine, checked before a call starts: vocabulary, context length, batch and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..calls.requests import MAX_TEXTS, BeamSearch, GenerateMulti, GenerateToken, Request, Score, ScoreMany
from ..checks import check_int, check_token_ids, refuse, shown
from ..errors import ContextLengthExceeded, InvalidRequest, OutOfCapacity
from ..model.base import LoadedModel
from ..states.state import State


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of an engine and its model. Every check raises InvalidRequest or a subclass, unless stated."""

    vocab_size: int
    eos_ids: frozenset[int]
    context_length: int
    max_batch: int
    num_pages: int

    @classmethod
    def of(cls, loaded: LoadedModel, max_batch: int, num_pages: int) -> Limits:
        """The limits of a model in an engine with `max_batch` rows and `num_pages` pages."""
        return cls(
            vocab_size=loaded.model.vocab_size,
            eos_ids=loaded.eos_ids,
            context_length=loaded.model.context_length,
            max_batch=max_batch,
            num_pages=num_pages,
        )

    def check_tokens(self, tokens: object) -> list[int]:
        """The token ids given by a caller, as a list."""
        ids = check_token_ids("tokens", tokens)
        self._check_vocabulary("tokens", ids)
        return list(ids)

    def _check_vocabulary(self, param: str, ids: Sequence[int]) -> None:
        if ids and max(ids) >= self.vocab_size:
            i = next(i for i, token in enumerate(ids) if token >= self.vocab_size)
            check_int(f"{param}[{i}]", ids[i], 0, self.vocab_size - 1)

    def check_context(self, num_tokens: int, param: str, *, about: str = "") -> None:
        """Whether a state may have `num_tokens` tokens; `param` is the parameter that would make it that long."""
        if num_tokens > self.context_length:
            message = f"`{param}` makes {about}{num_tokens} tokens, but the context length is {self.context_length}"
            raise ContextLengthExceeded(message, param=param)

    def check_request(self, request: Request[Any]) -> None:
        """The values of a request that the model or the engine bound, whatever state it is made on."""
        if isinstance(request, BeamSearch):
            check_int("num_beams", request.num_beams, 1, self.max_batch)
        elif isinstance(request, GenerateToken | GenerateMulti):
            self._check_sampled(request)
        elif isinstance(request, Score):
            if not request.token_ids:
                raise InvalidRequest("`text` must not be empty", param="text")
            self._check_vocabulary("token_ids", request.token_ids)
        elif isinstance(request, ScoreMany):
            self._check_texts(request.texts)
        else:
            raise refuse("request", "be a GenerateToken, GenerateMulti, BeamSearch, Score or ScoreMany", request)
        if not isinstance(request.state, State):
            raise refuse("state", "be a State", request.state)

    def check_room(self, request: Request[Any], have: int) -> None:
        """Whether what a request adds to a state of `have` tokens fits into the context."""
        if isinstance(request, BeamSearch):
            param, more = "max_length", request.max_length
        elif isinstance(request, Score):
            param, more = "text", len(request.token_ids)
        elif isinstance(request, ScoreMany):
            more, longest = max((len(token_ids), -i) for i, token_ids in enumerate(request.texts))
            param = f"texts[{-longest}]"
        else:
            assert isinstance(request, GenerateToken | GenerateMulti)
            param, more = "max_tokens", request.max_tokens or 1
            if request.max_tokens is None and request.min_tokens:
                param, more = "min_tokens", request.min_tokens
        left = self.context_length - have
        if left <= 0:
            message = f"the state fills the context of {self.context_length} tokens; truncate it, or begin another"
            raise ContextLengthExceeded(message, param=param)
        if more > left:
            rule = f"be at most {left}, which the context of {self.context_length} tokens has left"
            raise ContextLengthExceeded(f"`{param}` must {rule}, got {shown(more)}", param=param)

    def check_pages(self, needed: int, request: Request[Any]) -> None:
        """Whether a call that can need `needed` pages can ever start. Raises OutOfCapacity."""
        if needed <= self.num_pages:
            return
        unbounded = isinstance(request, GenerateToken | GenerateMulti) and request.max_tokens is None
        remedy = "; give a number as `max_tokens`, or raise `kv_memory`" if unbounded else ""
        param = "max_tokens" if unbounded else None
        message = f"the call can need {needed} pages, but `kv_memory` has room for {self.num_pages}{remedy}"
        raise OutOfCapacity(message, param=param)

    def _check_texts(self, texts: Sequence[Sequence[int]]) -> None:
        """The token ids of the texts to score."""
        if not 0 < len(texts) <= MAX_TEXTS:
            raise refuse("texts", f"contain from 1 to {MAX_TEXTS} texts", len(texts))
        for i, token_ids in enumerate(texts):
            if not token_ids:
                raise InvalidRequest(f"`texts[{i}]` must not be empty", param=f"texts[{i}]")
            self._check_vocabulary(f"texts[{i}]", token_ids)

    def _check_sampled(self, request: GenerateToken | GenerateMulti) -> None:
        """The token ids in a request, and whether they leave any token to draw."""
        sampling = request.sampling
        for token in sampling.logit_bias or ():
            check_int(f"logit_bias[{shown(token)}]", token, 0, self.vocab_size - 1)
        allowed = sampling.allowed_tokens
        if allowed is None:
            return
        self._check_vocabulary("allowed_tokens", allowed)
        if (request.ignore_eos or request.min_tokens) and self.eos_ids.issuperset(allowed):
            rule = "contain a token other than end of text, which `ignore_eos` and `min_tokens` forbid"
            raise refuse("allowed_tokens", rule, list(allowed))

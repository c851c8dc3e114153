"""The job of generate_token."""

from __future__ import annotations

from typing import Any

from ..calls.call import Call
from ..calls.requests import GenerateToken
from ..calls.results import TokenResult
from ..sampling.sampler import CallSampler
from ..sampling.token import SampledToken
from ..states.cache import pages_for
from .base import Job, Resources
from .continuation import Continuation
from .sequence import Sequence, Wants


class TokenJob(Job):
    """One sequence, whose entry becomes the state's when the call is committed."""

    def __init__(self, use: Resources, call: Call[Any], request: GenerateToken, seed: int) -> None:
        super().__init__(use, call, request.state)
        self.request = request
        self.continuation = Continuation(request, self.record, use.tokenizer, use.eos_ids, seed)
        self._sampler = CallSampler(
            request.sampling, seed=seed, top_n=request.top_logprobs, record=self.record, masks=use.masks
        )
        self._entry: int | None = None

    def pages_needed(self) -> int:
        return pages_for(len(self.record.tokens) + self.request.max_tokens) + 1

    def claim(self) -> None:
        self.use.store.lock(self.state, self.call)

    def answer_ended(self) -> None:
        self.use.store.unlock(self.state, self.call)
        self.call.finish(self._result())

    def start(self) -> list[Sequence] | None:
        self._entry = self._open(len(self.record.tokens), self.request.max_tokens)
        if self._entry is None:
            return None
        seq = self._sequence(self._entry, Wants.TOKEN)
        seq.sampler = self._sampler.sequence(
            self.record.random_stream, self.request.token_mask, eos_banned=self.continuation.eos_banned
        )
        return [seq]

    def on_token(self, seq: Sequence, token: SampledToken) -> None:
        c = self.continuation
        c.take(seq, token)
        if self.call.streams:
            piece = c.piece(self.state.id)
            if piece is not None:
                self.call.push(piece)
        if c.ended:
            if not self.call.streams:
                self._commit()
            self.use.runner.finish(self, self._result())

    def settle(self, taken: int | None) -> TokenResult:
        if taken is not None:
            self.continuation.keep(taken)
        self._commit()
        return self._result()

    def _commit(self) -> None:
        c, entry = self.continuation, self._entry
        if entry is not None:
            self._entries.discard(entry)
            num_tokens = len(self.record.tokens) + len(c.token_ids)
            self.table.truncate(entry, min(self.table.length(entry), num_tokens))
        self.use.store.commit(self.state, c.generated, entry, self.call)
        self._entry = None

    def _result(self) -> TokenResult:
        return self.continuation.result(self.state.id)

    def release(self) -> None:
        super().release()
        self.use.store.unlock(self.state, self.call)

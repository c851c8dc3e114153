"""The job of generate_token."""

from __future__ import annotations

from functools import partial

from ..calls.channel import Answer, Channel
from ..calls.requests import GenerateToken
from ..sampling.sampler import CallSampler
from ..sampling.token import SampledToken
from ..states.cache import pages_for
from .base import Job, Resources
from .continuation import Continuation
from .sequence import Sequence, Wants


class TokenJob(Job):
    """One sequence, whose tokens become the state's."""

    def __init__(self, use: Resources, channel: Channel, request: GenerateToken, seed: int) -> None:
        super().__init__(use, channel, request.state)
        self.request = request
        self._max_tokens = request.limit(use.context_length - len(self.record.tokens))
        self.continuation = Continuation(
            request, self.record, use.tokenizer, use.eos_ids, seed, self._max_tokens, streams=channel.streams
        )
        self._sampler = CallSampler(
            request.sampling, seed=seed, top_n=request.top_logprobs, record=self.record, masks=use.masks
        )
        self._entry: int | None = None
        self._parked = False  # the entry is in the cache, which may drop it
        self._committed: int | None = None  # the version of the state's record that holds the tokens
        # Not of this job, which has the channel: a cycle would keep results until the garbage collector comes.
        channel.piece = partial(self.continuation.piece, self.state.id)

    def pages_needed(self) -> int:
        return pages_for(len(self.record.tokens) + self._max_tokens) + 1

    def claim(self) -> None:
        self.use.store.lock(self.state, self.channel)

    def answer_ended(self) -> Answer:
        return self.settle(None)

    def start(self) -> list[Sequence] | None:
        self._entry = self._open(len(self.record.tokens), self._max_tokens)
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
        if not self.channel.held:
            if c.ended:
                self.use.runner.finish(self, self.settle(None))
            return
        if self.channel.streams:
            self.channel.offer(c.spell())
        if c.ended:
            self._park()
            self.use.runner.generated(self)

    def settle(self, taken: int | None) -> Answer:
        c = self.continuation
        if taken is not None:
            c.keep(taken)
        if self._committed is None:
            self._committed = self.use.store.commit(self.state, c.generated, len(self.record.tokens), self.channel)
        return partial(c.result, self.state.id)

    def abandon(self) -> None:
        self.use.store.unlock(self.state, self.channel)

    def _park(self) -> None:
        """Lets the cache have the pages while the call waits for its end: for a slow reader, or for other calls."""
        assert self._entry is not None
        self._entries.discard(self._entry)
        self.use.cache.park(self, self._entry)
        self._entry, self._parked = None, True

    def release(self) -> None:
        entry = self.use.cache.unpark(self) if self._parked else self._entry
        self._entry, self._parked = None, False
        if entry is not None:
            self._entries.discard(entry)
            self.use.store.give(self.state, self._committed, entry)
        super().release()

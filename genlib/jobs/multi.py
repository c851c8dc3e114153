"""The job of generate_multi."""

from __future__ import annotations

from functools import partial

from ..calls.channel import Answer, Channel
from ..calls.requests import GenerateMulti
from ..calls.results import MultiResult
from ..sampling.masks import forked
from ..sampling.sampler import CallSampler
from ..sampling.seeds import numbered
from ..sampling.token import SampledToken
from ..states.cache import pages_for
from ..states.state import State
from .base import Resources
from .continuation import Continuation
from .sequence import Sequence, Wants
from .waves import WavesJob


class MultiJob(WavesJob):
    """n sequences, `width` at a time. The state is left unchanged."""

    def __init__(self, use: Resources, channel: Channel, request: GenerateMulti, seed: int) -> None:
        super().__init__(use, channel, request.state, request.n)
        self.request = request
        self.seed = seed
        self._max_tokens = request.limit(use.context_length - len(self.record.tokens))
        self._sampler = CallSampler(
            request.sampling, seed=seed, top_n=request.top_logprobs, record=self.record, masks=use.masks
        )
        self._continuations: list[Continuation] = []  # those started so far, in order
        self._kept: dict[int, int] = {}
        self._left = request.n

    def _pages_each(self) -> int:
        """For the record's last token, which begins a page or copies the base's last, and for its own."""
        start = len(self.record.tokens)
        return 1 + pages_for(start + self._max_tokens) - pages_for(start)

    def _least_tickets(self) -> int:
        return self.request.n if self.request.keep_states else 1

    def _start_sequence(self, i: int) -> Sequence:
        c = self._next_continuation()
        seq = self._sequence(self._branch(self._max_tokens), Wants.TOKEN, index=i)
        seq.sampler = self._sampler.sequence(
            self._random_stream(i), forked(self.request.token_mask), eos_banned=c.eos_banned
        )
        return seq

    def _next_continuation(self) -> Continuation:
        use = self.use
        c = Continuation(self.request, self.record, use.tokenizer, use.eos_ids, self.seed, self._max_tokens)
        self._continuations.append(c)
        return c

    def _random_stream(self, i: int) -> int:
        return numbered(self.record.random_stream, i)

    def on_token(self, seq: Sequence, token: SampledToken) -> None:
        c = self._continuations[seq.index]
        c.take(seq, token)
        if not c.ended:
            return
        self._left -= 1
        if self.request.keep_states:
            self._kept[seq.index] = seq.entry
        else:
            self._free(seq.entry)
        self.use.runner.replace(seq, self._successor())
        if not self._left:
            self.use.runner.finish(self, self._answer())

    def answer_ended(self) -> Answer:
        one = self._next_continuation()
        self._continuations = [one] * self.request.n  # all are equal
        return self._answer()

    def _answer(self) -> Answer:
        keep = self.request.keep_states
        states = [self._keep(i, c) if keep else None for i, c in enumerate(self._continuations)]
        return partial(multi_result, self.state.id, self.seed, self._continuations, states)

    def _keep(self, i: int, c: Continuation) -> State:
        """A continuation as a new state, with its keys and values in place."""
        entry = self._kept.get(i)
        if entry is not None:
            self._entries.remove(entry)
        return self.use.store.keep(self.record, c.generated, self._random_stream(i), entry)


def multi_result(
    state_id: str, seed: int, continuations: list[Continuation], states: list[State | None]
) -> MultiResult:
    results = [c.result(state_id, state) for c, state in zip(continuations, states, strict=True)]
    return MultiResult(state_id=state_id, continuations=tuple(results), seed=seed)

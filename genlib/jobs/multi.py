"""Jobs of many sequences that start from one, and generate_multi, the first of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._native import PAGE_SIZE
from ..calls.call import Call
from ..calls.requests import GenerateMulti
from ..calls.results import MultiResult
from ..engine.scheduler import Sequence, Wants
from ..sampling.drawing import Drawings
from ..sampling.masks import forked
from ..states.cache import as_int32, pages_for
from .base import BaseJob
from .continuation import Continuation

if TYPE_CHECKING:
    from ..engine.batch import Draw
    from ..engine.engine import Engine
    from ..states.state import State

_MASK64 = 2**64 - 1


def splitmix64(stream: int, i: int) -> int:
    """The i-th output of the SplitMix64 generator seeded with `stream` (Steele, Lea, Flood 2014)."""
    z = (stream + i * 0x9E3779B97F4A7C15) & _MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    return z ^ (z >> 31)


class FromBase(BaseJob):
    """Jobs of many sequences that start from one: all tokens but the last are fed once, then shared."""

    _base: int | None = None

    def _open_base(self) -> int | None:
        self._base = self._open(len(self.record.tokens) - 1, 0)
        return self._base

    def _start_base(self, base: int) -> list[Sequence]:
        """The base as a sequence, or those that `_spread` makes if nothing of it is left to feed."""
        if self.table.length(base) == self.table.computed(base):
            return self._spread()
        return [self._sequence(base, Wants.NOTHING)]

    def computed(self, seq: Sequence) -> None:
        scheduler = self.engine.scheduler
        scheduler.remove([seq])
        self.engine.store.offer(self.state, self.record, seq.entry)
        scheduler.add(self._spread())

    def _spread(self) -> list[Sequence]:
        """The sequences that start from the base, which is computed."""
        raise NotImplementedError

    def _branch(self, more: int) -> int:
        """A fork of the base with the record's last token, and pages for `more`. They must be there."""
        assert self._base is not None
        entry = self.table.fork(self._base)
        self._entries.add(entry)
        promised = self.table.reserve(entry, 1 + more)
        assert promised, "pages were set aside when the call started"
        self.table.append(entry, as_int32(self.record.tokens[-1:]))
        return entry

    def _ticket(self, num_tokens: int) -> int | None:
        """An empty entry that pages are promised to, until sequences need them."""
        entry = self.table.create(self.record.namespace)
        if not self.cache.reserve(entry, num_tokens):
            self.table.free(entry)
            return None
        self._entries.add(entry)
        return entry


class MultiJob(FromBase):
    """generate_multi: n sequences, `width` at a time. The state is left as it was."""

    def __init__(self, engine: Engine, call: Call[Any], request: GenerateMulti, seed: int) -> None:
        super().__init__(engine, call, request.state)
        self.request = request
        self.seed = seed
        self.drawings = Drawings(request, self.record, engine.masks, seed)
        self.width = min(request.n, engine.scheduler.max_batch)
        self._continuations: list[Continuation] = []  # of the sequences started so far, in order
        self._kept: dict[int, int] = {}
        self._tickets: list[int] = []
        self._left = request.n

    def _ticket_tokens(self) -> int:
        """Of one continuation: its tokens, and the base's last page if it must be copied."""
        return 1 + self.request.max_tokens + PAGE_SIZE

    def _num_tickets(self) -> int:
        return self.request.n if self.request.keep_states else self.width

    def pages_needed(self) -> int:
        return pages_for(len(self.record.tokens)) + self._num_tickets() * pages_for(self._ticket_tokens())

    def start(self) -> list[Sequence] | None:
        base = self._open_base()
        while base is not None and len(self._tickets) < self._num_tickets():
            ticket = self._ticket(self._ticket_tokens())
            if ticket is None:
                break
            self._tickets.append(ticket)
        if base is None or len(self._tickets) < self._num_tickets():
            self.release()
            self._tickets.clear()
            return None
        return self._start_base(base)

    def _spread(self) -> list[Sequence]:
        return [self._next_sequence() for _ in range(self.width)]

    def _next_sequence(self) -> Sequence:
        i = self._next_continuation()
        self._free(self._tickets.pop())
        entry = self._branch(self.request.max_tokens)
        drawing = self.drawings.make(self._continuations[i], self._stream(i), forked(self.request.token_mask))
        return self._sequence(entry, Wants.DRAW, drawing, index=i)

    def _next_continuation(self) -> int:
        engine = self.engine
        c = Continuation(self.request, self.record, engine.tokenizer, engine.eos_ids, self.seed)
        self._continuations.append(c)
        return len(self._continuations) - 1

    def _stream(self, i: int) -> int:
        return splitmix64(self.record.stream, i) if i else self.record.stream

    def drawn(self, seq: Sequence, draw: Draw) -> None:
        c = self._continuations[seq.index]
        self.drawings.accept(c, seq, draw)
        if not c.ended:
            return
        self.engine.scheduler.remove([seq])
        self._left -= 1
        if self.request.keep_states:
            self._kept[seq.index] = seq.entry
        else:
            self._free(seq.entry)
        if len(self._continuations) < self.request.n:
            if not self.request.keep_states:
                ticket = self._ticket(self._ticket_tokens())
                assert ticket is not None, "the continuation that ended held as many pages"
                self._tickets.append(ticket)
            self.engine.scheduler.add([self._next_sequence()])
        if not self._left:
            self._finish()

    def answer_ended(self) -> None:
        for _ in range(self.request.n):
            self._next_continuation()
        self._finish()

    def _finish(self) -> None:
        results = []
        for i, c in enumerate(self._continuations):
            state = None
            if self.request.keep_states:
                entry = self._kept.get(i)
                if entry is not None:
                    self._entries.remove(entry)
                state = self._keep(c, self._stream(i), entry)
            results.append(c.result(self.state.id, state))
        self.release()
        self.engine.loop.finish(self, MultiResult(self.state.id, tuple(results), self.seed))

    def _keep(self, c: Continuation, stream: int, entry: int | None) -> State:
        finished = c.finish_reason == "end_of_text"
        return self.engine.store.keep(self.record, c.token_ids, stream, entry, finished=finished, match_end=c.match_end)

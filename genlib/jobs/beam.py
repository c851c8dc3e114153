"""The job of beam_search: one entry per beam, which shares its parent's pages up to its own tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._native import PAGE_SIZE
from ..calls.channel import Answer, Channel
from ..calls.requests import BeamSearch
from ..calls.results import BeamResult
from ..errors import ModelError
from ..ops.arrays import Int32
from ..ops.buffers import explain_status
from ..ops.searches import NO_MATCH
from ..states.cache import as_int32, pages_for
from ..states.record import Generated
from ..states.state import State
from ..text.utf8 import Utf8Decoder
from .base import Resources
from .branching import BranchingJob
from .search_slots import Slot, Stops
from .sequence import Sequence, Wants


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """A finished hypothesis: its score, and its place in the history: its length, and the parent and token of its last
    step. match_end: number of bytes of the last token up to the end of the stop sequence that ended it, or None."""

    score: float
    length: int
    parent: int
    token: int
    ended: bool
    match_end: int | None

    @property
    def key(self) -> tuple[int, int, int]:
        """Identifies it among the hypotheses of its search."""
        return self.length, self.parent, self.token


class BeamJob(BranchingJob):
    """K beams that step together. The state is left unchanged."""

    def __init__(self, use: Resources, channel: Channel, request: BeamSearch, stops: Stops | None) -> None:
        """stops: as SearchSlots.compile gives them, of the request or of the state."""
        super().__init__(use, channel, request.state)
        self.request = request
        self.width = self.least = self.most = request.num_beams
        self._stops = stops
        self._slots = use.searches
        self._slot: Slot | None = None
        self._beams: list[Sequence] = []
        self._handles = np.zeros(0, np.int64)  # the beams' entries, as the table takes them
        self._history: list[tuple[list[int], list[int]]] = []  # parents and tokens of each step
        self._kept: dict[tuple[int, int, int], int] = {}  # finished hypothesis → its entry

    def _pages_left(self) -> int:
        """The most pages that a running search can still take, beyond those that it gives back in the same step.

        Each beam holds its last page alone, or that page is full. So it takes one where its tokens begin one, and the
        copy that a second child costs is paid for by the beam that the child replaces. A finished hypothesis takes one
        for its last token, and gives it back when a better one replaces it. No other page is counted on to come back:
        another call, or a state, may hold it too.
        """
        start, steps = len(self.record.tokens), self.request.max_length - 1
        each = pages_for(start + steps) - pages_for(start + len(self._history))
        finished = self.width - len(self._kept) if self.request.keep_states else 0
        return self.width * each + finished

    def _pages_at_first(self) -> int:
        return self.width + self._pages_left()  # each beam's first token: it begins a page, or copies the base's last

    def pages_needed(self) -> int:
        return pages_for(len(self.record.tokens)) + self._pages_at_first()

    def start(self) -> list[Sequence] | None:
        base = self._open_base()
        ticket = self._ticket(self._pages_at_first()) if base is not None else None
        if ticket is not None:
            stops = self._stops
            tail = b"" if stops is None else self.record.unmatched_tail(self.use.tokenizer, stops.longest)
            self._slot = self._slots.open(self.request, stops, tail)
        if base is None or ticket is None or self._slot is None:
            self.release()
            return None
        self._pages_ticket = ticket
        return self._start_base(base)

    def release(self) -> None:
        super().release()
        if self._slot is not None:
            self._slots.close(self._slot)
            self._slot = None

    def _spread(self) -> list[Sequence]:
        self.table.unreserve(self._pages_ticket)
        entries = [self._branch(0) for _ in range(self.request.num_beams)]
        self._promise_rest()
        self._handles = np.array(entries, np.int64)
        self._beams = [self._beam(entry, i) for i, entry in enumerate(entries)]
        return self._beams

    def _beam(self, entry: int, i: int) -> Sequence:
        assert self._slot is not None
        beam = self._sequence(entry, Wants.BEAMS, index=i)
        beam.slot = self._slot.index
        return beam

    def _promise_rest(self) -> None:
        promised = self.table.reserve(self._pages_ticket, self._pages_left() * PAGE_SIZE)
        assert promised, "the beams took more pages in a step than they no longer need"

    def on_beams(self) -> None:
        """Moves the beams' pages as the beam step has moved the beams."""
        assert self._slot is not None
        s, slot, lanes = self._slots.buffers, self._slot.index, self._slot.lanes
        status = int(s.status[slot])
        if status:
            raise ModelError(f"the model gave {explain_status(status)}")
        parents, tokens = s.parent[lanes], s.token[lanes]
        self.table.unreserve(self._pages_ticket)
        if self.request.keep_states:
            self._keep_pool()
        self._history.append((parents.tolist(), tokens.tolist()))
        if s.done[slot]:
            self._finish(self._pool())
            return
        self._advance(parents, tokens)
        self._promise_rest()

    def _advance(self, parents: Int32, tokens: Int32) -> None:
        """Lets the first child of each beam take over its entry, and the others fork it."""
        self._entries.difference_update(self._handles.tolist())
        self.table.branch(self._handles, parents)
        self._entries.update(self._handles.tolist())
        self.table.append_one(self._handles, tokens)
        for beam, entry in zip(self._beams, self._handles.tolist(), strict=True):
            beam.entry = entry
            beam.length += 1

    def _pool(self) -> list[PoolEntry]:
        """The finished hypotheses, best first."""
        assert self._slot is not None
        s, lanes = self._slots.buffers, self._slot.lanes
        fields = (s.pool_score, s.pool_length, s.pool_parent, s.pool_token, s.pool_ended, s.pool_match_end)
        rows = zip(*(field[lanes].tolist() for field in fields), strict=True)
        return [
            PoolEntry(
                score=score,
                length=length,
                parent=parent,
                token=token,
                ended=bool(ended),
                match_end=None if match_end == NO_MATCH else match_end,
            )
            for score, length, parent, token, ended, match_end in rows
            if length
        ]

    def _keep_pool(self) -> None:
        """Creates entries for hypotheses new in the pool, and frees those of hypotheses that have left it."""
        pool = {h.key: h for h in self._pool()}
        for gone in self._kept.keys() - pool.keys():
            self._free(self._kept.pop(gone))
        for key in pool.keys() - self._kept.keys():
            entry = self.table.fork(self._beams[pool[key].parent].entry)
            self._entries.add(entry)
            self.table.append(entry, as_int32([pool[key].token]))
            self._kept[key] = entry

    def _tokens_of(self, h: PoolEntry) -> tuple[int, ...]:
        """The new tokens of a hypothesis, traced back through the history."""
        found, lane = [h.token], h.parent
        for parents, tokens in reversed(self._history[: h.length - 1]):
            found.append(tokens[lane])
            lane = parents[lane]
        return tuple(reversed(found))

    def answer_ended(self) -> Answer:
        k = self.request.num_return or self.request.num_beams
        states = tuple(self._state(None, ()) for _ in range(k)) if self.request.keep_states else ()
        result = BeamResult(
            state_id=self.state.id,
            beams=("",) * k,
            scores=(0.0,) * k,
            token_ids=((),) * k,
            finished=(True,) * k,
            states=states,
        )
        return lambda: result

    def _finish(self, pool: list[PoolEntry]) -> None:
        found = pool[: self.request.num_return or self.request.num_beams]
        token_ids = tuple(map(self._tokens_of, found))
        states = []
        if self.request.keep_states:
            states = [self._state(h, ids) for h, ids in zip(found, token_ids, strict=True)]

        def answer() -> BeamResult:
            return BeamResult(
                state_id=self.state.id,
                beams=tuple(map(self._text, token_ids)),
                scores=tuple(h.score for h in found),
                token_ids=token_ids,
                finished=tuple(h.ended for h in found),
                states=tuple(states),
            )

        self.use.runner.finish(self, answer)

    def _state(self, h: PoolEntry | None, token_ids: tuple[int, ...]) -> State:
        """A hypothesis as a new state, with its keys and values in place; None: a copy of the state."""
        entry = None if h is None else self._kept.pop(h.key, None)
        if entry is not None:
            self._entries.remove(entry)
        new = Generated(
            token_ids=token_ids,
            finished=self.record.finished or token_ids[-1] in self.use.eos_ids,
            match_end=None if h is None else h.match_end,
        )
        return self.use.store.keep(self.record, new, self.record.random_stream, entry)

    def _text(self, token_ids: tuple[int, ...]) -> str:
        """The text of new tokens; a code point left incomplete by an end of text becomes U+FFFD."""
        tokenizer = self.use.tokenizer
        decoder = Utf8Decoder(self.record.pending_bytes(tokenizer))
        text = decoder.feed(b"".join(map(tokenizer.token_bytes, token_ids)))
        return text + decoder.flush() if token_ids and token_ids[-1] in self.use.eos_ids else text

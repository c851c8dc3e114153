"""Which beam search has which slot of the beam step's buffers, and how it is set up there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..calls.requests import BeamSearch
from ..errors import OutOfCapacity
from ..ops.searches import NO_MATCH, new_search_buffers
from ..text import automaton

STOP_STATES = 1 << 15  # of the stop sequences of all searches that run
_BYTES_PER_TOKEN = 256  # room for the longest vocabulary: untouched memory costs nothing
_OUT = np.float32(-1e9)


@dataclass(slots=True)
class Slot:
    """One search's place: its number, its lanes, and its states of the automata, `num_states` from `first_state`."""

    index: int
    lane: int
    num_beams: int
    first_state: int = 0
    num_states: int = 0

    @property
    def lanes(self) -> slice:
        """Of its beams and its finished hypotheses."""
        return slice(self.lane, self.lane + self.num_beams)


class SearchSlots:
    """The buffers of at most `max_rows` beams, which make up at most as many searches. token_bytes: of an id."""

    def __init__(
        self,
        max_rows: int,
        longest: int,
        vocabulary: int,
        eos_ids: frozenset[int],
        token_bytes: Callable[[int], bytes],
    ) -> None:
        room = np.zeros(_BYTES_PER_TOKEN * vocabulary, np.uint8)
        tokens = (room, np.zeros(vocabulary + 1, np.int64))
        # Each slot has lanes for the widest search, so that none ever has to move.
        self.buffers = new_search_buffers(max_rows, max_rows * max_rows, longest, eos_ids, tokens, STOP_STATES)
        self._max_rows = max_rows
        self._token_bytes = token_bytes
        self._slots: list[Slot | None] = [None] * max_rows

    def open(self, request: BeamSearch, stops: tuple[str, ...], tail: bytes) -> Slot | None:
        """A slot with the search at its beginning; `tail` is what a stop sequence may have begun in. None if the
        stop sequences of those that run leave no room for these. There is a slot for each search that can run."""
        index = self._slots.index(None)
        slot = Slot(index, index * self._max_rows, request.num_beams)
        if stops and not self._add_stops(slot, [stop.encode() for stop in stops]):
            return None
        self._slots[index] = slot
        self._begin(slot, request)
        if stops:
            first, s = slot.first_state, self.buffers
            s.stop_state[slot.lanes] = automaton.run(s.stop_next[first : first + slot.num_states], first, tail)
        return slot

    def close(self, slot: Slot) -> None:
        """Frees the slot."""
        self._slots[slot.index] = None

    def _begin(self, slot: Slot, request: BeamSearch) -> None:
        s, i, lanes = self.buffers, slot.index, slot.lanes
        k, longest = request.num_beams, request.max_length
        s.lane[i], s.num_beams[i], s.max_length[i] = slot.lane, k, longest
        s.num_candidates[i] = k if k == 1 else max(2, 1 + len(s.eos_ids)) * k
        s.stop_when_full[i] = request.early_stopping is True
        s.bound_length[i] = longest if request.early_stopping == "never" and request.length_penalty > 0 else 0
        with np.errstate(over="ignore"):
            lengths = np.arange(1, longest + 1, dtype=np.float64)
            s.norms[i, 1 : longest + 1] = lengths**request.length_penalty
        s.length[i] = s.done[i] = s.status[i] = 0
        s.may_improve[i] = 1
        s.score[lanes] = _OUT
        s.score[slot.lane] = 0
        s.stop_state[lanes] = s.pool_length[lanes] = 0
        s.pool_score[lanes], s.pool_match_end[lanes] = _OUT, NO_MATCH

    def _add_stops(self, slot: Slot, patterns: list[bytes]) -> bool:
        """Writes the automaton into the first gap that holds it."""
        s = self.buffers
        if not s.token_starts[-1]:
            self._spell_tokens()
        most = 1 + sum(map(len, patterns))
        if most >= STOP_STATES:
            raise OutOfCapacity(f"`stop_sequences` must be shorter than {STOP_STATES} bytes in all, got {most - 1}")
        first = 1
        for other in sorted((x for x in self._slots if x and x.num_states), key=lambda x: x.first_state):
            if other.first_state - first >= most:
                break
            first = other.first_state + other.num_states
        if first + most > STOP_STATES:
            return False
        table, ends = automaton.build(patterns, first)
        slot.first_state, slot.num_states = first, len(table)
        s.stop_next[first : first + len(table)], s.stop_ends[first : first + len(table)] = table, ends
        return True

    def _spell_tokens(self) -> None:
        """The bytes of all tokens: only stop sequences need them."""
        s = self.buffers
        pieces = [self._token_bytes(v) for v in range(len(s.token_starts) - 1)]
        data = b"".join(pieces)
        if len(data) > len(s.token_bytes):
            raise OutOfCapacity(f"the vocabulary has {len(data)} bytes, beams with stop sequences hold fewer")
        s.token_bytes[: len(data)] = np.frombuffer(data, np.uint8)
        s.token_starts[1:] = np.cumsum([len(piece) for piece in pieces])

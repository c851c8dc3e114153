"""The base of jobs with any number of sequences, of which as many run at a time as the batch has room for."""

from __future__ import annotations

from abc import abstractmethod

from ..calls.channel import Channel
from ..states.cache import pages_for
from ..states.state import State
from .base import Resources
from .branching import BranchingJob
from .sequence import Sequence


class WavesJob(BranchingJob):
    """`count` sequences that start from the same tokens, `width` at a time: each that ends makes room for the next.

    A ticket is an entry that holds the pages of a sequence that has not begun.
    """

    def __init__(self, use: Resources, channel: Channel, state: State, count: int) -> None:
        """Raises StateNotFound."""
        super().__init__(use, channel, state)
        self.width = min(count, use.max_batch)
        self._count = count
        self._begun = 0
        self._tickets: list[int] = []

    @abstractmethod
    def _pages_each(self) -> int:
        """Pages to reserve for one sequence, beside those of the base."""

    @abstractmethod
    def _start_sequence(self, i: int) -> Sequence:
        """The i-th sequence, for which pages are there."""

    def _num_tickets(self) -> int:
        """How many sequences hold pages at a time."""
        return self.width

    def pages_needed(self) -> int:
        return pages_for(len(self.record.tokens)) + self._num_tickets() * self._pages_each()

    def start(self) -> list[Sequence] | None:
        base = self._open_base()
        while base is not None and len(self._tickets) < self._num_tickets():
            ticket = self._ticket(self._pages_each())
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
        self._free(self._tickets.pop())
        self._begun += 1
        return self._start_sequence(self._begun - 1)

    def _successor(self) -> list[Sequence]:
        """The sequence that replaces one that has ended, if any is left to start."""
        if self._begun == self._count:
            return []
        if not self._tickets:
            ticket = self._ticket(self._pages_each())
            assert ticket is not None, "the sequence that ended held as many pages"
            self._tickets.append(ticket)
        return [self._next_sequence()]

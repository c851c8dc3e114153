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
    """`count` sequences that start from the same tokens, each when the batch has a row and the pool has pages for it.

    A ticket is an entry that holds the pages of a sequence that has not begun.
    """

    def __init__(self, use: Resources, channel: Channel, state: State, count: int) -> None:
        """Raises StateNotFound."""
        super().__init__(use, channel, state)
        self.most = min(count, use.max_batch)
        self._count = count
        self._begun = 0
        self._tickets: list[int] = []

    @abstractmethod
    def _pages_each(self) -> int:
        """Pages to reserve for one sequence, beside those of the base."""

    @abstractmethod
    def _start_sequence(self, i: int) -> Sequence:
        """The i-th sequence, for which pages are there."""

    def _least_tickets(self) -> int:
        """How many sequences must have pages at the start."""
        return 1

    def pages_needed(self) -> int:
        return pages_for(len(self.record.tokens)) + self._least_tickets() * self._pages_each()

    def start(self) -> list[Sequence] | None:
        base = self._open_base()
        while base is not None and len(self._tickets) < max(self.width, self._least_tickets()):
            if not self._take_ticket():
                break
        if base is None or len(self._tickets) < self._least_tickets():
            self.release()
            self._tickets.clear()
            return None
        self.width = min(self.width, len(self._tickets))
        return self._start_base(base)

    def _take_ticket(self) -> bool:
        ticket = self._ticket(self._pages_each())
        if ticket is not None:
            self._tickets.append(ticket)
        return ticket is not None

    def _spread(self) -> list[Sequence]:
        return [self._next_sequence() for _ in range(self.width)]

    def _next_sequence(self) -> Sequence:
        self._free(self._tickets.pop())
        self._begun += 1
        return self._start_sequence(self._begun - 1)

    @property
    def more(self) -> int:
        return self._count - max(self._begun, self.width)  # before it spreads, as many are about to begin as have rows

    def grow(self) -> list[Sequence]:
        spread = self._begun > 0
        can_begin = spread and self.more and (self._tickets or self._take_ticket())
        return [self._next_sequence()] if can_begin else []

    def _successor(self) -> list[Sequence]:
        """The sequence that replaces one that has ended: if any is left to begin, if its pages are not needed by others
        (equal pages are held once, so that fewer may come back than it held), and if its row is not."""
        return [] if self.use.runner.should_yield(self) else self.grow()

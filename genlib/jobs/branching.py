"""The base of jobs with many sequences that start from the same tokens."""

from __future__ import annotations

from abc import abstractmethod

from .._native import PAGE_SIZE
from ..states.cache import as_int32
from .base import Job
from .sequence import Sequence, Wants


class BranchingJob(Job):
    """Feeds all tokens of the state but the last once, as the base; then many sequences share its pages."""

    _base: int | None = None

    def _open_base(self) -> int | None:
        self._base = self._open(len(self.record.tokens) - 1, 0)
        return self._base

    def _start_base(self, base: int) -> list[Sequence]:
        """The base as a sequence, or those of `_spread` if all of the base is cached."""
        if self.table.length(base) == self.table.computed(base):
            return self._spread()
        return [self._sequence(base, Wants.NOTHING)]

    def on_prefilled(self, seq: Sequence) -> None:
        self.use.store.offer(self.state, self.record, seq.entry)
        self.use.runner.replace(seq, self._spread())

    @abstractmethod
    def _spread(self) -> list[Sequence]:
        """The sequences that start from the computed base."""

    def _branch(self, more: int) -> int:
        """A fork of the base with the record's last token, and pages reserved for `more`, which must be available."""
        assert self._base is not None
        entry = self.table.fork(self._base)
        self._entries.add(entry)
        promised = self.use.cache.reserve(entry, 1 + more)
        assert promised, "pages were reserved when the call started"
        self.table.append(entry, as_int32(self.record.tokens[-1:]))
        return entry

    def _ticket(self, num_pages: int) -> int | None:
        """An empty entry that reserves pages until sequences need them; None if there are too few."""
        entry = self.table.create(self.record.namespace)
        if not self.use.cache.reserve(entry, num_pages * PAGE_SIZE):
            self.table.free(entry)
            return None
        self._entries.add(entry)
        return entry

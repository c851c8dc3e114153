"""The pages of states: what is kept while they are idle, and how a call gets what it needs.

A state's entry in the table is a cache of its tokens (docs/design.md §1): it may be dropped at any moment,
and is found again by content, or rebuilt. The engine's lock guards all of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from .._native import PAGE_SIZE, StateTable
from ..ops.arrays import Int32
from .record import Record


def pages_for(num_tokens: int) -> int:
    """Pages that hold so many tokens."""
    return -(-num_tokens // PAGE_SIZE)


def as_int32(token_ids: Sequence[int]) -> Int32:
    """Token ids as the table takes them."""
    return np.asarray(token_ids, dtype=np.int32)


class Cache:
    """Entries of idle states, least recently used first, over one table."""

    def __init__(self, num_pages: int) -> None:
        self.table = StateTable(num_pages)
        self.num_pages = num_pages
        self._copies = np.zeros((64, 2), np.int32)
        self._idle: OrderedDict[str, tuple[int, int]] = OrderedDict()  # state id → entry, version of the record

    def open(self, state_id: str, record: Record, num_tokens: int, more: int) -> int | None:
        """A new entry with the first `num_tokens` tokens of a record, what is cached of them computed, and the
        pages promised for `more` tokens behind them. None if there are too few pages, even with all idle
        states dropped; nothing has changed then, but for what is cached."""
        entry = self._cached(state_id, record, num_tokens)
        have = self.table.length(entry)
        if not self.reserve(entry, num_tokens - have + more):
            self.table.free(entry)
            return None
        self.table.append(entry, as_int32(record.tokens[have:num_tokens]))
        return entry

    def _cached(self, state_id: str, record: Record, num_tokens: int) -> int:
        """An entry of those of the first tokens that are computed and still in pages. The record's last token
        is never one of them: it is fed again, for its logits."""
        most = min(num_tokens, len(record.tokens) - 1)
        kept = self._idle.get(state_id)
        if kept is not None and kept[1] == record.version:
            self._idle.move_to_end(state_id)
            entry = self.table.fork(kept[0])
            self.table.truncate(entry, min(self.table.computed(entry), most))
            if self.table.length(entry) or num_tokens <= PAGE_SIZE:
                return entry
            self.table.free(entry)
        entry = self.table.create(record.namespace)
        self.table.match(entry, as_int32(record.tokens[: most + 1]))
        return entry

    def reserve(self, entry: int, num_tokens: int) -> bool:
        """Promises pages to an entry, dropping idle states as needed."""
        while not self.table.reserve(entry, num_tokens):
            if not self._idle:
                return False
            _, (idle, _) = self._idle.popitem(last=False)
            self.table.free(idle)
        return True

    def take_copies(self) -> Int32:
        """Pages to be copied before the next step writes, in order: [n, 2] (source, destination)."""
        count = self.table.num_copies
        if count > len(self._copies):
            self._copies = np.zeros((2 * count, 2), np.int32)
        if count:
            self.table.take_copies(self._copies)
        return self._copies[:count]

    def keep(self, state_id: str, record: Record, entry: int) -> None:
        """Makes `entry`, whose tokens begin the record's, the state's own. It may be dropped from now on."""
        self.table.unreserve(entry)
        self.drop(state_id)
        self._idle[state_id] = (entry, record.version)

    def adopt(self, state_id: str, record: Record, entry: int) -> None:
        """Lets a state have what `entry`, whose tokens begin the record's, has computed, if that is more."""
        kept = self._idle.get(state_id)
        if kept is None or self.table.computed(kept[0]) < self.table.computed(entry):
            self.keep(state_id, record, self.table.fork(entry))

    def share(self, state_id: str, source_id: str, record: Record) -> None:
        """Lets a fork have the pages of its source, if there are any of the record's version."""
        kept = self._idle.get(source_id)
        if kept is not None and kept[1] == record.version:
            self._idle[state_id] = (self.table.fork(kept[0]), record.version)

    def follow(self, state_id: str, record: Record) -> None:
        """Adapts a state's entry to a record that was appended to or truncated."""
        kept = self._idle.get(state_id)
        if kept is not None:
            entry = kept[0]
            self.table.truncate(entry, min(self.table.length(entry), len(record.tokens)))
            self._idle[state_id] = (entry, record.version)

    def drop(self, state_id: str) -> None:
        """Gives a state's pages back. Full ones can still be found by content, until they are needed."""
        kept = self._idle.pop(state_id, None)
        if kept is not None:
            self.table.free(kept[0])

    def drop_all(self) -> None:
        """Gives the pages of all idle states back."""
        while self._idle:
            _, (entry, _) = self._idle.popitem()
            self.table.free(entry)

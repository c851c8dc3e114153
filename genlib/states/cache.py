"""The KV cache pages of states: what is kept while they are idle, and how a call gets the pages it needs.

A state's entry in the table caches what was computed of its tokens (docs/design.md §1): it may be dropped at any
moment; its pages are then found again by content, or recomputed. The engine's lock guards all of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from .._native import PAGE_SIZE, StateTable
from ..ops.arrays import Int32
from .record import Record


def pages_for(num_tokens: int) -> int:
    """Number of pages that `num_tokens` tokens fill, the last one possibly in part."""
    return -(-num_tokens // PAGE_SIZE)


def as_int32(token_ids: Sequence[int]) -> Int32:
    """Token ids as an int32 array [n], as the table takes them."""
    return np.asarray(token_ids, dtype=np.int32)


def _parked(owner: object) -> str:
    return f"call-{id(owner)}"  # it lives as long as what it has parked


class Cache:
    """The entries of idle states, least recently used first, and the table that holds all entries."""

    def __init__(self, num_pages: int) -> None:
        self.table = StateTable(num_pages)
        self.num_pages = num_pages
        self._copies = np.zeros((64, 2), np.int32)
        self._idle: OrderedDict[str, tuple[int, int]] = OrderedDict()  # state id → entry, version of its record

    def open(self, state_id: str, record: Record, num_tokens: int, more: int) -> int | None:
        """A new entry with the first `num_tokens` tokens of a record, as far as cached already computed, and with
        pages reserved for `more` tokens after them. None if there are too few pages even after dropping all idle
        states; then only cached pages may have been lost."""
        entry = self._cached(state_id, record, num_tokens)
        have = self.table.length(entry)
        if not self.reserve(entry, num_tokens - have + more):
            self.table.free(entry)
            return None
        self.table.append(entry, as_int32(record.tokens[have:num_tokens]))
        return entry

    def _cached(self, state_id: str, record: Record, num_tokens: int) -> int:
        """A new entry with those of the first `num_tokens` tokens whose pages are cached, never with the record's last
        token: that one must be fed again for its logits."""
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
        """Reserves pages for an entry, dropping idle states as needed. False if there are still too few."""
        while not self.table.reserve(entry, num_tokens):
            if not self._idle:
                return False
            _, (idle, _) = self._idle.popitem(last=False)
            self.table.free(idle)
        return True

    def take_copies(self) -> Int32:
        """The pages to copy before the next step writes, in this order: [n, 2] (source, destination)."""
        count = self.table.num_copies
        if count > len(self._copies):
            self._copies = np.zeros((2 * count, 2), np.int32)
        if count:
            self.table.take_copies(self._copies)
        return self._copies[:count]

    def keep(self, state_id: str, record: Record, entry: int) -> None:
        """Makes `entry`, whose tokens are a prefix of the record's, the state's cache, which may be dropped."""
        self.table.unreserve(entry)
        self.drop(state_id)
        self._idle[state_id] = (entry, record.version)

    def park(self, owner: object, entry: int) -> None:
        """Keeps an entry for `owner`, whose last token was drawn. It may be dropped from now on."""
        self.table.unreserve(entry)
        self._idle[_parked(owner)] = (entry, -1)

    def unpark(self, owner: object) -> int | None:
        """Gives the entry back, if it was not dropped."""
        kept = self._idle.pop(_parked(owner), None)
        return None if kept is None else kept[0]

    def adopt(self, state_id: str, record: Record, entry: int) -> None:
        """Shares `entry`, whose tokens are a prefix of the record's, with a state that has less of them computed."""
        kept = self._idle.get(state_id)
        if kept is None or self.table.computed(kept[0]) < self.table.computed(entry):
            self.keep(state_id, record, self.table.fork(entry))

    def share(self, state_id: str, source_id: str, record: Record) -> None:
        """Shares the cached pages of `source_id` with its fork `state_id`, if they are of the record's version."""
        kept = self._idle.get(source_id)
        if kept is not None and kept[1] == record.version:
            self._idle[state_id] = (self.table.fork(kept[0]), record.version)

    def follow(self, state_id: str, record: Record) -> None:
        """Updates a state's entry after an append to its record or a truncation."""
        kept = self._idle.get(state_id)
        if kept is not None:
            entry = kept[0]
            self.table.truncate(entry, min(self.table.length(entry), len(record.tokens)))
            self._idle[state_id] = (entry, record.version)

    def drop(self, state_id: str) -> None:
        """Frees a state's pages. Full ones can still be found by content until they are reused."""
        kept = self._idle.pop(state_id, None)
        if kept is not None:
            self.table.free(kept[0])

    def drop_all(self) -> None:
        """Frees the pages of all idle states."""
        while self._idle:
            _, (entry, _) = self._idle.popitem()
            self.table.free(entry)

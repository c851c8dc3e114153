"""A plain model of the state table and of the memory behind its pages.

The model holds every entry's tokens in a list, and what the device holds in `memory`: one key for each slot of
each page. A step writes keys, queued copies move them, nothing else does. The key of a position is a hash of the
namespace and of all tokens up to it, as real keys and values are a function of them; so if every computed
position shows its own prefix's key through its page table, then sharing, copying, eviction, exchange of equal
pages and matching are all right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from support.pages_memory import Memory
from support.pages_model import Batch, Entry, W, int32, int64, prefix_keys

from genlib._native import OutOfPages, StateTable


class World:
    """A table, its model and its memory. Every method makes one operation on both and compares them."""

    def __init__(self, num_pages: int, hash_mask: int = 0xFFFFFFFF) -> None:
        self.table = StateTable(num_pages, hash_mask)
        self.num_pages = num_pages
        self.entries: dict[int, Entry] = {}
        self.memory = Memory(num_pages)
        self.committed: set[tuple[int, tuple[int, ...]]] = set()  # every full computed prefix there ever was
        self.refusals: Counter[str] = Counter()

    # -- what both sides show -------------------------------------------------------------------------------

    def snapshot(self) -> list[object]:
        """All that can be seen of the table, to compare before and after a call that fails."""
        table = self.table
        seen: list[object] = [table.num_free, table.num_released, table.num_reserved, table.num_copies]
        for handle in self.entries:
            lists = table.tokens(handle).tolist(), table.pages(handle).tolist()
            seen.append((handle, table.computed(handle), table.reserved(handle), *lists))
        return seen

    def holders(self) -> Counter[int]:
        """How many entries hold each page."""
        return Counter(page for handle in self.entries for page in self.table.pages(handle).tolist())

    def available(self) -> int:
        return self.table.num_free - self.table.num_reserved

    def check(self) -> None:
        """Every rule of the table, and every computed position against its own prefix."""
        table = self.table
        table.check_integrity()
        self.memory.take_copies(table)
        memory = self.memory.after_copies()
        assert table.num_entries == len(self.entries)
        assert table.num_free == self.num_pages - len(self.holders())
        for handle, entry in self.entries.items():
            assert table.tokens(handle).tolist() == entry.tokens
            assert table.computed(handle) == entry.computed
            shown = memory[table.pages(handle)].ravel()[: entry.computed]
            assert shown.tolist() == entry.keys[: entry.computed]

    def _attempt(self, name: str, may_fail: Callable[[], bool], call: Callable[[], object]) -> bool:
        """Makes a call that may run out of pages: then with good reason, and without any change."""
        before, allowed = self.snapshot(), may_fail()
        try:
            call()
        except OutOfPages:
            assert allowed, f"{name} failed, but pages were there or promised"
            assert self.snapshot() == before, f"{name} failed and left a change behind"
            self.refusals[name] += 1
            return False
        return True

    # -- operations -----------------------------------------------------------------------------------------

    def create(self, namespace: int) -> int:
        handle = self.table.create(namespace)
        assert handle not in self.entries
        self.entries[handle] = Entry(namespace)
        return handle

    def fork(self, handle: int) -> int | None:
        source, made = self.entries[handle], []

        def may_fail() -> bool:
            return source.due > 0 and len(source.tokens) % W != 0 and self.available() == 0

        if not self._attempt("fork", may_fail, lambda: made.append(self.table.fork(handle))):
            return None
        self.entries[made[0]] = Entry(source.namespace, list(source.tokens), source.keys, source.computed)
        assert self.table.pages(made[0]).tolist() == self.table.pages(handle).tolist()
        return made[0]

    def free(self, handle: int) -> None:
        self.table.free(handle)
        del self.entries[handle]

    def known_prefix(self, namespace: int, tokens: list[int]) -> int:
        """Tokens of the longest full-page prefix that was ever computed and leaves one to feed."""
        matched = 0
        while matched + W < len(tokens) and (namespace, tuple(tokens[: matched + W])) in self.committed:
            matched += W
        return matched

    def match(self, handle: int, tokens: list[int]) -> int:
        entry = self.entries[handle]
        matched = self.table.match(handle, int32(tokens))
        assert matched % W == 0
        assert matched <= self.known_prefix(entry.namespace, tokens)
        entry.tokens = tokens[:matched]
        entry.computed = matched
        entry.keys = prefix_keys(entry.namespace, entry.tokens, [])
        return matched

    def _pages_due(self, handle: int, count: int, *, copied: bool) -> int:
        length = len(self.entries[handle].tokens)
        return -(-(length + count) // W) - -(-length // W) + (copied and length % W != 0)

    def _extend(self, handle: int, tokens: list[int]) -> None:
        entry = self.entries[handle]
        entry.tokens = entry.tokens + tokens
        entry.keys = prefix_keys(entry.namespace, entry.tokens, entry.keys)

    def append(self, handle: int, tokens: list[int]) -> bool:
        entry = self.entries[handle]

        def may_fail() -> bool:
            most = self._pages_due(handle, len(tokens), copied=True) - self.table.reserved(handle)
            return len(tokens) > entry.due and most > self.available()

        least = self._pages_due(handle, len(tokens), copied=False) - self.table.reserved(handle)
        fits = least <= self.available()
        if not self._attempt("append", may_fail, lambda: self.table.append(handle, int32(tokens))):
            return False
        assert fits, "an append took pages that were promised to others"
        self._extend(handle, tokens)
        return True

    def append_one(self, handles: list[int], tokens: list[int]) -> bool:
        def may_fail() -> bool:
            most = [self._pages_due(h, 1, copied=True) - self.table.reserved(h) for h in handles]
            lacking = [max(0, due) for h, due in zip(handles, most, strict=True) if not self.entries[h].due]
            return sum(lacking) > self.available()

        call = lambda: self.table.append_one(int64(handles), int32(tokens))  # noqa: E731
        if not self._attempt("append_one", may_fail, call):
            return False
        for handle, token in zip(handles, tokens, strict=True):
            self._extend(handle, [token])
        return True

    def truncate(self, handle: int, n: int) -> bool:
        entry = self.entries[handle]
        start = min(entry.promised_from, n)

        def may_fail() -> bool:
            return start + entry.promised > n

        if not self._attempt("truncate", may_fail, lambda: self.table.truncate(handle, n)):
            return False
        entry.tokens, entry.keys = entry.tokens[:n], entry.keys[:n]
        entry.computed = min(entry.computed, n)
        entry.promised_from = start
        return True

    def reserve(self, handle: int, num_tokens: int) -> bool:
        entry = self.entries[handle]
        most = self._pages_due(handle, num_tokens, copied=True) - self.table.reserved(handle)
        fits, before = most <= self.available(), self.snapshot()
        if not self.table.reserve(handle, num_tokens):
            assert not fits
            assert self.snapshot() == before
            self.refusals["reserve"] += 1
            return False
        entry.promised, entry.promised_from = num_tokens, len(entry.tokens)
        return True

    def unreserve(self, handle: int) -> None:
        self.table.unreserve(handle)
        self.entries[handle].promised = 0
        assert self.table.reserved(handle) == 0

    # -- a step ---------------------------------------------------------------------------------------------

    def step(self, work: dict[int, int], between: Callable[[], None] | None = None) -> bool:
        """Feeds `work[handle]` tokens of each entry, and commits them. False if the table refused the batch."""
        handles, counts = list(work), list(work.values())
        shared = self._writes_shared(work)
        widest = max((self.table.pages(h).size for h in handles), default=0)
        batch = Batch(sum(counts), len(handles), widest)
        try:
            filled = batch.fill(self.table, int64(handles), int32(counts))
        except RuntimeError:
            assert shared, "fill refused a batch that writes only pages of its own"
            assert batch.is_untouched()
            return False
        assert not shared, "fill lets a step write a shared page"
        assert filled == sum(counts)
        batch.check(work, self.entries, self.table)
        self.memory.take_copies(self.table)
        self.memory.step(batch, [self.entries[handle].keys for handle in handles])
        if between is not None:
            between()
        self._commit(handles, batch.lengths[: len(handles)])
        return True

    def _writes_shared(self, work: dict[int, int]) -> bool:
        holders = self.holders()
        for handle, count in work.items():
            pages, computed = self.table.pages(handle), self.entries[handle].computed
            if any(holders[int(page)] > 1 for page in pages[computed // W : -(-(computed + count) // W)] if count):
                return True
        return False

    def _commit(self, handles: list[int], computed: np.ndarray) -> None:
        if len(handles) == 1:
            self.table.commit(handles[0], int(computed[0]))
        else:
            self.table.commit_many(int64(handles), computed)
        for handle, count in zip(handles, computed.tolist(), strict=True):
            entry = self.entries[handle]
            entry.computed = count
            for end in range(W, count + 1, W):
                self.committed.add((entry.namespace, tuple(entry.tokens[:end])))


def computed_entry(world: World, tokens: list[int], namespace: int = 0) -> int:
    """An entry with these tokens, all of them computed."""
    handle = world.create(namespace)
    assert world.append(handle, tokens)
    assert world.step({handle: len(tokens)})
    world.check()
    return handle


def pages(world: World, handle: int) -> list[int]:
    return world.table.pages(handle).tolist()

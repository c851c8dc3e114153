"""What the model of the state table is made of: an entry as a list of tokens, a batch as buffers to fill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from genlib._native import PAGE_SIZE, StateTable

UNTOUCHED = -7  # in every buffer before it is filled
W = PAGE_SIZE
MODULUS = (1 << 61) - 1


def int32(values: list[int]) -> np.ndarray:
    return np.array(values, np.int32)


def int64(values: list[int]) -> np.ndarray:
    return np.array(values, np.int64)


def prefix_keys(namespace: int, tokens: list[int], keys: list[int]) -> list[int]:
    """`keys` of the first tokens, continued to all of them."""
    key = keys[-1] if keys else namespace + 1
    keys = list(keys)
    for token in tokens[len(keys) :]:
        key = (key * 1_000_003 + token * 7_919 + 12_345) % MODULUS
        keys.append(key)
    return keys


@dataclass
class Entry:
    """What the model knows of one entry."""

    namespace: int
    tokens: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    computed: int = 0
    promised: int = 0
    promised_from: int = 0

    @property
    def due(self) -> int:
        """Tokens that may still be appended without fail."""
        return max(0, self.promised_from + self.promised - len(self.tokens))


class Batch:
    """Buffers for one fill, each a little larger than needed."""

    def __init__(self, tokens: int, sequences: int, width: int) -> None:
        def buffer(*shape: int) -> np.ndarray:
            return np.full(shape, UNTOUCHED, np.int32)

        self.ids, self.positions, self.rows = buffer(tokens + 2), buffer(tokens + 2), buffer(tokens + 2)
        self.starts, self.lengths = buffer(sequences + 2), buffer(sequences + 1)
        self.tables = buffer(sequences + 1, width + 1)

    def fill(self, table: StateTable, handles: np.ndarray, counts: np.ndarray) -> int:
        return table.fill(handles, counts, self.ids, self.positions, self.starts, self.lengths, self.tables, self.rows)

    def is_untouched(self) -> bool:
        return all((values == UNTOUCHED).all() for values in vars(self).values())

    def check(self, work: Mapping[int, int], entries: Mapping[int, Entry], table: StateTable) -> None:
        """It holds the next `work[handle]` tokens of each entry, in order, and nothing beyond them."""
        at = 0
        for s, (handle, count) in enumerate(work.items()):
            entry, pages = entries[handle], table.pages(handle)
            begin = entry.computed
            assert self.starts[s] == at
            assert self.ids[at : at + count].tolist() == entry.tokens[begin : begin + count]
            assert self.positions[at : at + count].tolist() == list(range(begin, begin + count))
            assert (self.rows[at : at + count] == s).all()
            assert self.lengths[s] == begin + count
            assert self.tables[s, : pages.size].tolist() == pages.tolist()
            assert (self.tables[s, pages.size :] == UNTOUCHED).all()
            at += count
        assert self.starts[len(work)] == at
        beyond = self.ids[at:], self.positions[at:], self.rows[at:], self.lengths[len(work) :]
        assert all((values == UNTOUCHED).all() for values in beyond)

"""What the device holds behind the pages: one key for each slot. Steps write it, queued copies move it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from support.pages_model import Batch, W

from genlib._native import StateTable


class Memory:
    """Keys [P, W]. Copies are taken from the table as they are queued, and made before the next step writes."""

    def __init__(self, num_pages: int) -> None:
        self.pending: list[tuple[int, int]] = []  # copies taken from the table, not yet made
        self._keys = np.zeros((num_pages, W), np.int64)

    def take_copies(self, table: StateTable) -> None:
        out = np.zeros((table.num_copies, 2), np.int32)
        assert table.take_copies(out) == len(out)
        self.pending += [(source, destination) for source, destination in out.tolist()]

    def after_copies(self) -> np.ndarray:
        """The keys [P, W] as the next step will find them."""
        keys = self._keys.copy()
        for source, destination in self.pending:
            keys[destination] = keys[source]
        return keys

    def step(self, batch: Batch, keys: Sequence[list[int]]) -> None:
        """Makes the copies, then writes each sequence's keys of the positions that the batch feeds."""
        self._keys = self.after_copies()
        self.pending.clear()
        for s, all_keys in enumerate(keys):
            for position in batch.positions[batch.starts[s] : batch.starts[s + 1]].tolist():
                self._keys[batch.tables[s, position // W], position % W] = all_keys[position]

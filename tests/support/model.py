"""A model alone, without an engine: logits of every position of some sequences."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from genlib._native import StateTable
from genlib.engine.batch import Batch
from genlib.jobs.search_slots import SearchSlots
from genlib.model.base import LoadedModel
from genlib.model.load import load
from genlib.states.cache import pages_for


class Bench:
    """A loaded model with a table and a batch that takes rows from every token."""

    def __init__(self, loaded: LoadedModel, max_tokens: int = 256, pages: int = 64) -> None:
        self.model = loaded.model
        self.table = StateTable(pages)
        longest = pages_for(self.model.context_length)
        vocabulary = self.model.vocab_size
        slots = SearchSlots(1, 1, vocabulary, frozenset(), loaded.tokenizer.token_bytes)
        self.batch = Batch(max_tokens, max_tokens, longest, vocabulary, frozenset(), slots.buffers)
        self.model.prepare(self.batch.buffers, pages)

    def open(self, ids: list[int]) -> int:
        """A new entry that holds these tokens, none of them computed."""
        entry = self.table.create(0)
        self.table.append(entry, np.asarray(ids, np.int32))
        return entry

    def step(self, entries: list[int], counts: list[int]) -> np.ndarray:
        """Feeds the next counts[s] tokens of each entry; logits of all of them, [N, V]."""
        plan = self.batch.plan
        handles, numbers = np.array(entries, np.int64), np.array(counts, np.int32)
        n = self.table.fill(handles, numbers, plan.ids, plan.positions, plan.starts, plan.lengths, plan.tables)
        plan.num_tokens[0], plan.num_seqs[0], plan.num_rows[0], plan.num_sampled[0] = n, len(entries), n, 0
        plan.rows[:n] = np.arange(n)
        self.model.launch(n)
        self.model.wait()
        self.table.commit_many(handles, plan.lengths[: len(entries)])
        return self.model.logits(0, n).copy()


def all_logits(folder: Path | None, ids: list[int], dtype: str = "auto") -> np.ndarray:
    """Logits [N, V] of one sequence, fed at once."""
    loaded = load(folder, dtype=dtype, threads=1)
    try:
        bench = Bench(loaded, max_tokens=len(ids))
        return bench.step([bench.open(ids)], [len(ids)])
    finally:
        loaded.model.close()

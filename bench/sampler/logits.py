"""Logits of each kind. Rows differ from each other, and are the same in every run."""

from __future__ import annotations

import functools

import numpy as np
import torch

import genlib
from genlib._native import StateTable
from genlib.engine.batch import Batch
from genlib.jobs.search_slots import SearchSlots
from genlib.model.load import load
from genlib.states.cache import pages_for

from .cells import MODEL_V, Cell

SPREADS = {"randn*1": 1.0, "randn*3": 3.0, "randn*4": 4.0, "flat": 1e-3}
LENGTH = 128  # tokens of each text whose logits are the model's rows


def logits_of(cell: Cell, device: str) -> torch.Tensor:
    """[S, V] of the cell's dtype."""
    if cell.kind == "model":
        rows = torch.from_numpy(model_rows(-(-cell.S // LENGTH))[: cell.S]).to(device)
    else:
        generator = torch.Generator(device).manual_seed(cell.V)
        rows = torch.randn(cell.S, cell.V, generator=generator, device=device)
        rows *= SPREADS.get(cell.kind, 0.3)
        if cell.kind == "zipf":
            # The k-th id is the k-th likely, about: vocabularies are ordered so.
            rows -= 1.3 * torch.arange(1, cell.V + 1, device=device).log()
    return rows.to(getattr(torch, cell.dtype)).contiguous()


@functools.cache
def model_rows(texts: int) -> np.ndarray:
    """The embedded model's logits [texts · 128, 4096]: of each position of texts that it wrote at temperature 0.8."""
    with genlib.Engine() as engine:
        state = engine.create_state("Once upon a time")
        many = genlib.generate_multi(state, n=texts, max_tokens=LENGTH, temperature=0.8, ignore_eos=True, seed=1)
        written = [[*state.tokens, *one.token_ids][:LENGTH] for one in many.continuations]
    return np.concatenate([_logits_of_text(tokens) for tokens in written])


def _logits_of_text(tokens: list[int]) -> np.ndarray:
    """[N, V], by one step of the decoder on its own."""
    loaded = load(None, threads=1)
    try:
        model, table, N = loaded.model, StateTable(LENGTH), len(tokens)
        assert model.vocab_size == MODEL_V
        slots = SearchSlots(1, 1, MODEL_V, frozenset(), loaded.tokenizer.token_bytes)
        batch = Batch(N, N, pages_for(model.context_length), MODEL_V, frozenset(), slots.buffers)
        model.prepare(batch.buffers, LENGTH)
        entry = table.create(0)
        table.append(entry, np.asarray(tokens, np.int32))
        plan, entries = batch.plan, np.array([entry], np.int64)
        counts = np.array([N], np.int32)
        table.fill(entries, counts, plan.ids, plan.positions, plan.starts, plan.lengths, plan.tables)
        plan.num_tokens[0], plan.num_seqs[0], plan.num_rows[0], plan.num_sampled[0] = N, 1, N, 0
        plan.rows[:N] = np.arange(N)
        model.launch(N)
        model.wait()
        return np.array(model.logits(0, N))
    finally:
        loaded.model.close()

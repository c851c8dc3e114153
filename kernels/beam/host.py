"""The step on the CPU, in C++."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch

from genlib.ops import searches as contract
from genlib.ops.cpu import CpuOps

from ..row.logits import array_of
from ..row.threads import borrowed
from .searches import Searches

_FIELDS = [field.name for field in fields(contract.SearchBuffers)] + ["past_parent", "past_token"]


class SearchArrays:
    """Searches as numpy arrays of the same memory. Those asked for last are kept."""

    def __init__(self) -> None:
        self._searches: Searches | None = None
        self._arrays: dict[str, Any] = {}

    def of(self, searches: Searches) -> SimpleNamespace:
        """A namespace of its own for each step, which may put other arrays into it."""
        if searches is not self._searches:
            self._arrays = {name: getattr(searches, name).numpy() for name in _FIELDS}
            self._searches = searches
        return SimpleNamespace(**self._arrays)


def run(
    logits: torch.Tensor, searches: Searches, kept: CpuOps | None = None, arrays: SearchArrays | None = None
) -> None:
    """Moves on the searches that are not done, by the threads `kept`, or by some that live as long as the step."""
    s = (arrays or SearchArrays()).of(searches)
    live = s.live[: s.num_live[0]]
    going = live[(s.done[live] | s.status[live]) == 0]
    if not len(going):
        return
    if len(going) < len(live):
        s.num_live = np.array([len(going)], np.int32)
        s.live = np.resize(going, len(s.live))
        s.first_row = s.lane[s.live]
    with borrowed(kept, len(logits)) as ops:
        ops.beam_step(array_of(logits), cast(contract.SearchBuffers, s))
    for slot in going.tolist():
        if s.status[slot] == 0:
            _note_step(s, slot)


def _note_step(s: SimpleNamespace, slot: int) -> None:
    """Keeps what a search's beams went on from, as the GPU's kernels do."""
    first, step = int(s.lane[slot]), int(s.length[slot]) - 1
    lanes = slice(first, first + int(s.num_beams[slot]))
    s.past_parent[lanes, step] = s.parent[lanes]
    s.past_token[lanes, step] = s.token[lanes]

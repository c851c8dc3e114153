"""The same step on the CPU: in C++."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch

from genlib.ops import searches as contract
from genlib.ops.cpu import CpuOps

from ..sampler.host import numpy_logits
from .searches import Searches

_FIELDS = [field.name for field in fields(contract.SearchBuffers)] + ["past_parent", "past_token"]


class BeamHost:
    """Threads, their scratch, and the tensors of the searches that it stepped last as arrays."""

    def __init__(self, threads: int) -> None:
        self._ops = CpuOps(threads)
        self._searches: Searches | None = None
        self._arrays: dict[str, Any] = {}

    def close(self) -> None:
        self._ops.close()

    def step(self, logits: torch.Tensor, searches: Searches) -> None:
        """Moves on what is not done."""
        if searches is not self._searches:
            self._arrays = {name: getattr(searches, name).numpy() for name in _FIELDS}
            self._searches = searches
        arrays = SimpleNamespace(**self._arrays)
        live = arrays.live[: arrays.num_live[0]]
        going = live[(arrays.done[live] | arrays.status[live]) == 0]
        if not len(going):
            return
        if len(going) < len(live):
            arrays.num_live = np.array([len(going)], np.int32)
            arrays.live = np.resize(going, len(arrays.live))
            arrays.first_row = arrays.lane[arrays.live]
        self._ops.beam_step(numpy_logits(logits), cast(contract.SearchBuffers, arrays))
        for slot in going.tolist():
            if arrays.status[slot] == 0:
                first, step = int(arrays.lane[slot]), int(arrays.length[slot]) - 1
                lanes = slice(first, first + int(arrays.num_beams[slot]))
                arrays.past_parent[lanes, step] = arrays.parent[lanes]
                arrays.past_token[lanes, step] = arrays.token[lanes]


def run(logits: torch.Tensor, searches: Searches, host: BeamHost | None) -> None:
    """Steps by `host`, or by as many threads as torch may use, which then live as long as the step."""
    if host is not None:
        host.step(logits, searches)
        return
    own = BeamHost(max(1, min(len(logits), torch.get_num_threads())))
    try:
        own.step(logits, searches)
    finally:
        own.close()

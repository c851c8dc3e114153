"""The same step on the CPU: in C++."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch

from genlib.ops import searches as contract
from genlib.ops.cpu import CpuOps

from .host import numpy_logits
from .searches import Searches


def run(logits: torch.Tensor, searches: Searches) -> None:
    """Steps on as many threads as torch may use."""
    going = (searches.done == 0) & (searches.status == 0)
    live = [slot for slot in searches.live[: int(searches.num_live)].tolist() if going[slot]]
    if not live:
        return
    arrays = {field.name: getattr(searches, field.name).numpy() for field in fields(contract.Searches)}
    arrays["num_live"] = np.array([len(live)], np.int32)
    arrays["live"] = np.resize(np.array(live, np.int32), len(arrays["live"]))
    arrays["first_row"] = arrays["lane"][arrays["live"]]
    ops = CpuOps(max(1, min(len(logits), torch.get_num_threads())))
    try:
        ops.beam_step(numpy_logits(logits), contract.Searches(**arrays))
    finally:
        ops.close()
    for slot in live:
        if arrays["status"][slot] == 0:
            first, step = int(arrays["lane"][slot]), int(arrays["length"][slot]) - 1
            lanes = slice(first, first + int(arrays["num_beams"][slot]))
            searches.past_parent[lanes, step] = searches.parent[lanes]
            searches.past_token[lanes, step] = searches.token[lanes]

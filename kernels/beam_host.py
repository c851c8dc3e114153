"""The same step on the CPU: in C++."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch

from genlib.ops import searches as contract
from genlib.ops.cpu import CpuOps

from .host import borrowed, numpy_logits
from .searches import Searches

_FIELDS = [field.name for field in fields(contract.Searches)]


def run(logits: torch.Tensor, searches: Searches, ops: CpuOps | None) -> None:
    """Steps by `ops`, or by as many threads as torch may use, which then live as long as the step."""
    going = (searches.done == 0) & (searches.status == 0)
    live = [slot for slot in searches.live[: int(searches.num_live)].tolist() if going[slot]]
    if not live:
        return
    arrays = {name: getattr(searches, name).numpy() for name in _FIELDS}
    arrays["num_live"] = np.array([len(live)], np.int32)
    arrays["live"] = np.resize(np.array(live, np.int32), len(arrays["live"]))
    arrays["first_row"] = arrays["lane"][arrays["live"]]
    with borrowed(ops, len(logits)) as runner:
        runner.beam_step(numpy_logits(logits), contract.Searches(**arrays))
    for slot in live:
        if arrays["status"][slot] == 0:
            first, step = int(arrays["lane"][slot]), int(arrays["length"][slot]) - 1
            lanes = slice(first, first + int(arrays["num_beams"][slot]))
            searches.past_parent.numpy()[lanes, step] = arrays["parent"][lanes]
            searches.past_token.numpy()[lanes, step] = arrays["token"][lanes]

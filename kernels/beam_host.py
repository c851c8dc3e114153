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
    arrays = {name: getattr(searches, name).numpy() for name in _FIELDS}
    live = arrays["live"][: arrays["num_live"][0]]
    going = live[(arrays["done"][live] | arrays["status"][live]) == 0]
    if not len(going):
        return
    if len(going) < len(live):
        arrays["num_live"] = np.array([len(going)], np.int32)
        arrays["live"] = np.resize(going, len(arrays["live"]))
        arrays["first_row"] = arrays["lane"][arrays["live"]]
    with borrowed(ops, len(logits)) as runner:
        runner.beam_step(numpy_logits(logits), contract.Searches(**arrays))
    for slot in going.tolist():
        if arrays["status"][slot] == 0:
            first, step = int(arrays["lane"][slot]), int(arrays["length"][slot]) - 1
            lanes = slice(first, first + int(arrays["num_beams"][slot]))
            searches.past_parent.numpy()[lanes, step] = arrays["parent"][lanes]
            searches.past_token.numpy()[lanes, step] = arrays["token"][lanes]

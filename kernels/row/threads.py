"""The CPU's threads: kept by a workspace, or lent for one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from genlib.ops.cpu import CpuOps


def new_threads(device: torch.device) -> CpuOps | None:
    """For the CPU: as many threads as torch may use now, and their scratch."""
    return CpuOps(torch.get_num_threads()) if device.type == "cpu" else None


@contextmanager
def borrowed(kept: CpuOps | None, num_rows: int) -> Iterator[CpuOps]:
    """`kept`, or for the block as many threads as torch may use and the rows can."""
    if kept is not None:
        yield kept
        return
    own = CpuOps(max(1, min(num_rows, torch.get_num_threads())))
    try:
        yield own
    finally:
        own.close()

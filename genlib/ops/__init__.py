"""The operations of a device: the interface between the engine and the code that computes.

Read base (the contract, and the alphabet of shapes), buffers and searches (what a step reads and writes), reference and
the reference_ files (the specification in numpy), then cpu (the C++ implementation). The rest is shared.
"""

from __future__ import annotations

from ..errors import BackendError
from .base import Ops

__all__ = ["Ops", "select"]


def select(device: str, threads: int | None = None) -> Ops:
    """The operations of `device`, which is probed and imported only here.

    threads: number of CPU threads; None for all cores that the process may use. Raises BackendError if the build does
    not support the device.
    """
    if device == "cpu":
        from .cpu import CpuOps  # noqa: PLC0415 (a device's code is imported only if used)

        return CpuOps(threads)
    if device.startswith("cuda"):
        raise BackendError(f'`device` "{device}" is not supported in this build; use "cpu"', param="device")
    raise BackendError(f'`device` must be "cpu", got "{device}"', param="device")

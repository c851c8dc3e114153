"""Operations: one object per device, chosen once."""

from __future__ import annotations

from ..errors import BackendError
from .base import Ops

__all__ = ["Ops", "select"]


def select(device: str, threads: int | None = None) -> Ops:
    """The operations of `device`; nothing is probed or imported before.

    threads: of the CPU's team, None for all cores that this process may use. Raises BackendError for a device
    that this build cannot serve.
    """
    if device == "cpu":
        from .cpu import CpuOps  # noqa: PLC0415 (a device's code is imported by those who use it)

        return CpuOps(threads)
    if device.startswith("cuda"):
        raise BackendError(f'`device` "{device}" is not in this build yet: use "cpu"', param="device")
    raise BackendError(f'`device` must be "cpu", got "{device}"', param="device")

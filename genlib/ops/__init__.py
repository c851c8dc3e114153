"""The operations of a device: the interface between the engine and the code that computes.

Read base (the contract, and the alphabet of shapes), buffers and searches (what a step reads and writes), reference and
the reference_ files (the specification in numpy), then cpu (the C++ implementation) or torch (the one for other
devices). The rest is shared.
"""

from __future__ import annotations

from ..checks import check_choice, refuse, shown
from ..errors import BackendError
from .base import Ops

__all__ = ["Ops", "select"]


def select(device: str = "auto", kernels: str | None = None, threads: int | None = None) -> Ops:
    """The operations of `device`, which is probed and imported only here.

    kernels: whose; None: genlib's own, for the CPU; "torch": torch's, for all devices that it has. threads: number of
    CPU threads; None for all cores that the process may use. Raises InvalidRequest, and BackendError if the device is
    not there or cannot be used.
    """
    if kernels is not None:
        check_choice("kernels", kernels, "torch")
        if threads is not None:
            raise refuse("threads", 'be None with kernels="torch": torch.set_num_threads says how many', threads)
        return _torch(device)
    if device not in ("auto", "cpu"):
        remedy = 'kernels="torch" runs on every device of torch'
        raise BackendError(f'`device` must be "auto" or "cpu", got {shown(device)}; {remedy}', param="device")
    from .cpu import CpuOps  # noqa: PLC0415 (a device's code is imported only if used)

    return CpuOps(threads)


def _torch(device: str) -> Ops:
    try:
        from .torch import TorchOps  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise BackendError(
            f'kernels="torch" needs the package {error.name!r}: pip install "genlib[kernels]"', param="kernels"
        ) from error
    return TorchOps(device)

"""The devices of torch."""

from __future__ import annotations

import torch

from ..checks import shown
from ..errors import BackendError


def found(name: str) -> torch.device:
    """The device, which can be used. Raises BackendError."""
    name = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # as torch's builds have it
        reason = str(error).partition("\n")[0]
        raise BackendError(f"torch has no `device` {shown(name)} that works: {reason}", param="device") from error
    return device


def description(device: torch.device) -> str:
    """What decides the order of the sums of torch's libraries."""
    if device.type == "cpu":
        return f"cpu ({torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads)"
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return device.type

"""What logits a call takes, and where it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from genlib.checks import refuse
from genlib.errors import BackendError

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def check_rows(logits: torch.Tensor) -> None:
    """InvalidRequest unless the rows are of a dtype that is taken, and each without gaps."""
    if logits.dtype not in DTYPES:
        raise refuse("logits", "be float32, bfloat16 or float16", logits.dtype)
    if logits.stride(1) != 1:
        raise refuse("logits", "have rows without gaps: call .contiguous()", logits.stride())


def check_gpu(device: torch.device) -> None:
    """BackendError unless Triton can run there; what is on the CPU never comes here."""
    if device.type != "cuda":
        raise BackendError(f"`logits` must be on the CPU or an NVIDIA GPU, got {device}", param="logits")


def array_of(logits: torch.Tensor) -> npt.NDArray[Any]:
    """The memory of a tensor on the CPU; bfloat16 as its bits."""
    if logits.dtype == torch.bfloat16:
        return logits.view(torch.int16).numpy().view(np.uint16)
    return logits.numpy()


def row_stride(logits: torch.Tensor) -> int:
    """Elements from a row to the next. That of an only row is never used, and given as most calls have it: V."""
    rows, V = logits.shape
    return logits.stride(0) if rows > 1 else V

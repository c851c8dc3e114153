"""A checkpoint's tensor in host memory, between its file and a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Tensor:
    """A checkpoint's tensor in host memory. data: float32, or the bits of BF16 and F16 as uint16."""

    name: str
    dtype: Literal["F32", "BF16", "F16"]
    data: npt.NDArray[Any]

    def to_float32(self) -> npt.NDArray[np.float32]:
        """The values as float32. Exact: every bfloat16 and float16 value is a float32 value."""
        if self.dtype == "BF16":
            return (self.data.astype(np.uint32) << np.uint32(16)).view(np.float32)
        if self.dtype == "F16":
            return self.data.view(np.float16).astype(np.float32)
        return self.data

    def to(self, dtype: str) -> Tensor:
        """The tensor in "float32", "bfloat16" or "float16", rounded to nearest, ties to even; "auto": unchanged."""
        if dtype == "auto" or self.dtype == _SHORT[dtype]:
            return self
        values = self.to_float32()
        if dtype == "float32":
            return Tensor(self.name, "F32", values)
        if dtype == "float16":
            return Tensor(self.name, "F16", values.astype(np.float16).view(np.uint16))
        bits = values.view(np.uint32)
        rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        return Tensor(self.name, "BF16", np.where(np.isnan(values), 0x7FC0, rounded).astype(np.uint16))


_SHORT = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}

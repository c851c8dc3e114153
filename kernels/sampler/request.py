"""What `sample` is asked for, checked."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

from genlib.checks import check_int, is_number, refuse

from ..row.logits import check_rows
from ..row.sizes import MAX_VOCABULARY
from .edits import Edits
from .limits import TOPS

FLOATS = (torch.float32, torch.float64)
INTEGERS = (torch.int32, torch.int64)
HUGE = 2.0**64


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """The arguments of `sample`. A number is for all rows; a tensor [S] is on the logits' device.

    Raises InvalidRequest that names the field. What a tensor on a GPU holds is not read.
    """

    logits: torch.Tensor
    temperature: float | torch.Tensor
    top_k: int | torch.Tensor
    top_p: float | torch.Tensor
    min_p: float | torch.Tensor
    seeds: torch.Tensor
    positions: torch.Tensor
    streams: int | torch.Tensor
    allowed: torch.Tensor | None
    edits: Edits | None
    repetition_penalty: float | torch.Tensor
    presence_penalty: float | torch.Tensor
    frequency_penalty: float | torch.Tensor
    top_logprobs: int

    def __post_init__(self) -> None:
        self._check_logits()
        self._check_rows("temperature", FLOATS, "be 0 (greedy) or from 1e-6 to 1e4", 1e-6, 1e4, 0.0)
        self._check_rows("top_p", FLOATS, "be in (0, 1]", 5e-324, 1.0)
        self._check_rows("min_p", FLOATS, "be in [0, 1]", 0.0, 1.0)
        self._check_rows("top_k", INTEGERS, "be an integer from 0 to 2147483647", 0, 2**31 - 1)
        self._check_rows("streams", (torch.int64,), "be an integer from -2⁶³ to 2⁶³ - 1", -(2**63), 2**63 - 1)
        self._check_rows("repetition_penalty", FLOATS, "be from 2⁻⁶⁴ to 2⁶⁴", 1 / HUGE, HUGE)
        self._check_rows("presence_penalty", FLOATS, "be from -2⁶⁴ to 2⁶⁴", -HUGE, HUGE)
        self._check_rows("frequency_penalty", FLOATS, "be from -2⁶⁴ to 2⁶⁴", -HUGE, HUGE)
        for name in ("seeds", "positions"):
            self._check_tensor(name, getattr(self, name), (torch.int64,), (self.num_rows,))
        check_int("top_logprobs", self.top_logprobs, 0, TOPS)
        if self.allowed is not None:
            words = (self.vocabulary + 31) // 32
            self._check_tensor("allowed", self.allowed, (torch.int32,), (self.num_rows, words))
            if words > 1 and self.allowed.stride(1) != 1:
                raise refuse("allowed", "have rows without gaps: call .contiguous()", self.allowed.stride())
        if self.edits is not None:
            self._check_edits(self.edits)

    @property
    def num_rows(self) -> int:
        """S"""
        return int(self.logits.shape[0])

    @property
    def vocabulary(self) -> int:
        """V"""
        return int(self.logits.shape[1])

    @property
    def truncates(self) -> bool:
        """Whether top-k, top-p or min-p can be on in a row."""
        return not (
            (isinstance(self.top_k, int) and self.top_k == 0)
            and (isinstance(self.top_p, int | float) and self.top_p == 1)
            and (isinstance(self.min_p, int | float) and self.min_p == 0)
        )

    def _check_logits(self) -> None:
        logits = self.logits
        if not isinstance(logits, torch.Tensor) or logits.ndim != 2:
            raise refuse("logits", "be a tensor [S, V]", getattr(logits, "shape", type(logits).__name__))
        check_rows(logits)
        if not 2 <= logits.shape[1] <= MAX_VOCABULARY:
            raise refuse("logits", "have from 2 to 2²⁰ columns", logits.shape[1])

    def _check_tensor(self, name: str, value: object, dtypes: tuple[torch.dtype, ...], shape: tuple[int, ...]) -> None:
        if not isinstance(value, torch.Tensor) or value.dtype not in dtypes:
            known = " or ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
            raise refuse(name, f"be a tensor of {known}", getattr(value, "dtype", value))
        if tuple(value.shape) != shape:
            raise refuse(name, f"have the shape {list(shape)}", list(value.shape))
        if value.device != self.logits.device:
            raise refuse(name, f"be on the device of the logits, {self.logits.device}", str(value.device))

    def _check_rows(
        self, name: str, dtypes: tuple[torch.dtype, ...], rule: str, low: float, high: float, also: float | None = None
    ) -> None:
        """A number from low to high, or `also`, or a tensor of such; what a tensor on the CPU holds is checked."""
        value = getattr(self, name)
        if not isinstance(value, torch.Tensor):
            is_right = is_number(value) if torch.float64 in dtypes else type(value) is int
            if not is_right or not (low <= value <= high or value == also):
                raise refuse(name, f"{rule}, or a tensor [S]", value)
            return
        self._check_tensor(name, value, dtypes, (self.num_rows,))
        if value.device.type == "cpu":
            wide = value.to(torch.float64) if torch.float64 in dtypes else value
            right = (wide >= low) & (wide <= high)
            right = right if also is None else right | (wide == also)
            if not right.all():
                s = int((~right).nonzero()[0, 0])
                raise refuse(f"{name}[{s}]", rule, value[s].item())

    def _check_edits(self, edits: Edits) -> None:
        if not isinstance(edits, Edits):
            raise refuse("edits", "be `Edits`, as `edits_of` makes them", edits)
        entries = (edits.token.shape[0],) if edits.token.ndim == 1 else (0,)
        shapes = {"start": (self.num_rows,), "count": (self.num_rows,)}
        dtypes = {"start": torch.int64, "bias": torch.float32}
        for field in fields(Edits):
            dtype = dtypes.get(field.name, torch.int32)
            shape = shapes.get(field.name, entries)
            self._check_tensor(f"edits.{field.name}", getattr(edits, field.name), (dtype,), shape)
            if not getattr(edits, field.name).is_contiguous():
                raise refuse(f"edits.{field.name}", "be contiguous: call .contiguous()", False)

"""The operations in torch, on any device that it has: each a few plain lines, against which kernels are checked.

What a step reads of the host, it reads when it is launched; what it writes for the host is there when that returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .._native import PAGE_SIZE as W
from ..errors import BackendError
from . import torch_beam, torch_rows, torch_sampling
from .arrays import Int32
from .base import HeadShape
from .buffers import Plan, RowParams, SamplerOutput
from .recording import Launch, Recorder
from .searches import SearchBuffers
from .tensor import Tensor
from .torch_attention import attend, write
from .torch_device import description, found
from .torch_rows import blocks

_TYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


@dataclass(frozen=True, slots=True)
class TorchWeight:
    """values [out, in], both raised to a multiple of ALIGNED by zeros; bias [out], float32, or None."""

    values: torch.Tensor
    inputs: int
    bias: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class TorchKv:
    """pages [L, P, 2, G, W, D]: keys at 0, values at 1."""

    shape: HeadShape
    pages: torch.Tensor


class TorchOps(Recorder):
    """Implements genlib.ops.base.Ops on a device of torch, by its name there."""

    def __init__(self, device: str = "auto") -> None:
        """device: "auto" is a GPU that torch has, or the CPU. Raises BackendError."""
        super().__init__()
        self._device = found(device)
        self.name = f"torch {torch.__version__} on {description(self._device)}"
        self._type: torch.dtype | None = None  # of the weights, and so of the activations and pages

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> torch.Tensor:
        return torch.empty(tuple(shape), dtype=torch.from_numpy(np.empty(0, dtype)).dtype, device=self._device)

    def activations(self, shape: Sequence[int]) -> torch.Tensor:
        return torch.empty(tuple(shape), dtype=self._type, device=self._device)

    def upload(self, array: npt.NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device, copy=True)

    def pack(self, tensors: Sequence[Tensor], bias: Sequence[Tensor] = ()) -> TorchWeight:
        dtypes = sorted({tensor.dtype for tensor in tensors})
        if len(dtypes) != 1:
            raise ValueError(f"`tensors` must have one dtype, got {', '.join(dtypes) or 'no tensor'}")
        self._type = self._type or _TYPES[dtypes[0]]
        values = torch.cat([self.upload(tensor.data).view(_TYPES[dtypes[0]]) for tensor in tensors])
        biases = torch.cat([self.upload(tensor.to_float32()) for tensor in bias]) if bias else None
        whole = torch_rows.aligned(values)
        torch_rows.check_product(whole)
        return TorchWeight(whole, values.shape[1], biases)

    def embed(self, ids: Int32, weight: TorchWeight, out: torch.Tensor, rows: Int32 | None = None) -> None:
        def run() -> None:
            n = _count(rows, len(ids))
            out[:n] = weight.values[self._here(ids[:n]), : weight.inputs].float()

        self._do(run)

    def gather_rows(self, x: torch.Tensor, index: Int32, out: torch.Tensor, rows: Int32 | None = None) -> None:
        def run() -> None:
            n = _count(rows, len(index))
            out[:n] = x[self._here(index[:n])]

        self._do(run)

    def linear(self, x: torch.Tensor, weight: TorchWeight, out: torch.Tensor, rows: Int32 | None = None) -> None:
        def run() -> None:
            n = _count(rows, len(x))
            torch_rows.linear(x[:n], weight.values, weight.bias, out[:n])

        self._do(run)

    def rms_norm(
        self,
        x: torch.Tensor,
        residual: torch.Tensor | None,
        weight: torch.Tensor,
        eps: float,
        out: torch.Tensor,
        rows: Int32 | None = None,
    ) -> None:
        def run() -> None:
            n = _count(rows, len(x))
            if residual is not None:
                residual[:n] += x[:n]
            out[:n] = torch_rows.rms((x if residual is None else residual)[:n].float(), weight, eps)

        self._do(run)

    def silu_mul(self, x: torch.Tensor, out: torch.Tensor, rows: Int32 | None = None) -> None:
        def run() -> None:
            n = _count(rows, len(x))
            out[:n] = torch_rows.silu_mul(x[:n].float())

        self._do(run)

    def new_kv(self, shape: HeadShape, num_pages: int) -> TorchKv:
        size = (shape.layers, num_pages, 2, shape.kv_heads, W, shape.head_size)
        return TorchKv(shape, torch.empty(size, dtype=self._type or torch.float32, device=self._device))

    def kv_bytes(self, shape: HeadShape) -> int:
        size = (self._type or torch.float32).itemsize
        return shape.layers * 2 * W * shape.kv_heads * shape.head_size * size

    def copy_pages(self, kv: TorchKv, pairs: Int32) -> None:
        for source, target in pairs.tolist():
            kv.pages[:, target] = kv.pages[:, source]

    def rope_write(
        self,
        qkv: torch.Tensor,
        norms: tuple[torch.Tensor, torch.Tensor] | None,
        eps: float,
        rope: tuple[torch.Tensor, torch.Tensor],
        kv: TorchKv,
        layer: int,
        plan: Plan,
        out: torch.Tensor,
    ) -> None:
        H, G, D = kv.shape.heads, kv.shape.kv_heads, kv.shape.head_size

        def run() -> None:
            n = int(plan.num_tokens[0])
            positions = plan.positions[:n]
            heads = qkv[:n].float().reshape(n, H + 2 * G, D)
            q, k, v = heads[:, :H], heads[:, H : H + G], heads[:, H + G :]
            if norms is not None:
                q, k = torch_rows.rms(q, norms[0], eps), torch_rows.rms(k, norms[1], eps)
            cos, sin = (table[self._here(positions)] for table in rope)
            out[:n] = torch_rows.rotate(q, cos, sin).reshape(n, H * D)
            page, slot = self._here(plan.tables[_owners(plan), positions // W]), self._here(positions % W)
            write(kv.pages[layer], page, slot, torch_rows.rotate(k, cos, sin), v)

        self._do(run)

    def attend(self, q: torch.Tensor, kv: TorchKv, layer: int, plan: Plan, out: torch.Tensor) -> None:
        H, D = kv.shape.heads, kv.shape.head_size

        def run() -> None:
            n = int(plan.num_tokens[0])
            owners, lengths = _owners(plan), plan.positions[:n] + 1
            for rows in blocks(n):
                longest = int(lengths[rows].max())
                queries = q[rows].float().reshape(-1, H, D)
                used = plan.tables[owners[rows], : -(-longest // W)]
                used = np.where(np.arange(used.shape[1]) * W < lengths[rows, None], used, 0)  # the rest may be anything
                found = attend(queries, kv.pages[layer], self._here(used), self._here(lengths[rows]), longest)
                out[rows] = found.reshape(-1, H * D)

        self._do(run)

    def sample(self, logits: torch.Tensor, params: RowParams, plan: Plan, out: SamplerOutput) -> None:
        self._do(lambda: torch_sampling.sample(logits, params, int(plan.num_sampled[0]), out))

    def beam_step(self, logits: torch.Tensor, searches: SearchBuffers) -> None:
        self._do(lambda: torch_beam.beam_step(logits, searches))

    def _here(self, array: npt.NDArray[Any]) -> torch.Tensor:
        """A copy of the host's array on the device, as an index."""
        return torch.from_numpy(array.astype(np.int64)).to(self._device)

    def _run(self, operations: list[Launch]) -> None:
        if torch.get_float32_matmul_precision() != "highest":
            raise BackendError('torch.set_float32_matmul_precision must be "highest": else sums lose bits')
        with torch.inference_mode():
            super()._run(operations)


def _count(rows: Int32 | None, most: int) -> int:
    return most if rows is None else int(rows[0])


def _owners(plan: Plan) -> npt.NDArray[np.int64]:
    """The sequence of each query token, [N]."""
    s = int(plan.num_seqs[0])
    return np.repeat(np.arange(s), np.diff(plan.starts[: s + 1]))

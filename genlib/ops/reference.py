"""The operations in plain numpy: the specification. Slow, but complete enough to run the whole model.

Each follows its formula in genlib.ops.base. Sums are float32 in numpy's order, so other implementations are compared
with a tolerance; `sample` and `beam_step` are compared exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._native import PAGE_SIZE as W
from . import reference_beam, reference_sampling
from .arrays import Float32, Int32
from .base import HeadShape
from .buffers import Plan, RowParams, SamplerOutput
from .recording import Recorder
from .searches import SearchBuffers
from .tensor import Tensor


@dataclass(frozen=True, slots=True)
class ReferenceWeight:
    """values [out, in], bias [out] or None; float32."""

    values: Float32
    bias: Float32 | None


@dataclass(frozen=True, slots=True)
class ReferenceKv:
    """pages [P, L, 2, W, G, D]: keys at 0, values at 1."""

    shape: HeadShape
    pages: Float32


def rms(x: Float32, weight: Float32, eps: float) -> Float32:
    """x / √(mean(x²) + eps) · weight, over the last axis."""
    mean = np.mean(x * x, axis=-1, keepdims=True, dtype=np.float32)
    scale: Float32 = np.reciprocal(np.sqrt(mean + np.float32(eps)))
    return x * scale * weight


def rotate(x: Float32, cos: Float32, sin: Float32) -> Float32:
    """x [N, heads, D] rotated by the angles of cos, sin [N, D / 2]; the pairs are (i, i + D/2)."""
    a, b = np.split(x, 2, axis=-1)
    c, s = cos[:, None, :], sin[:, None, :]
    return np.concatenate([a * c - b * s, b * c + a * s], axis=-1)


def softmax(x: Float32) -> Float32:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    result: Float32 = e / e.sum(axis=-1, keepdims=True)
    return result


def _count(rows: Int32 | None, most: int) -> int:
    return most if rows is None else int(rows[0])


class ReferenceOps(Recorder):
    """Implements genlib.ops.base.Ops literally."""

    name = "reference"

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        return np.empty(shape, dtype)

    def activations(self, shape: Sequence[int]) -> Float32:
        return np.empty(shape, np.float32)

    def upload(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array.copy()

    def pack(self, tensors: Sequence[Tensor], bias: Sequence[Tensor] = ()) -> ReferenceWeight:
        values = np.concatenate([tensor.to_float32() for tensor in tensors])
        return ReferenceWeight(values, np.concatenate([b.to_float32() for b in bias]) if bias else None)

    def embed(self, ids: Int32, weight: ReferenceWeight, out: Float32, rows: Int32 | None = None) -> None:
        def run() -> None:
            n = _count(rows, len(ids))
            out[:n] = weight.values[ids[:n]]

        self._do(run)

    def gather_rows(self, x: Float32, index: Int32, out: Float32, rows: Int32 | None = None) -> None:
        def run() -> None:
            n = _count(rows, len(index))
            out[:n] = x[index[:n]]

        self._do(run)

    def linear(self, x: Float32, weight: ReferenceWeight, out: Float32, rows: Int32 | None = None) -> None:
        def run() -> None:
            n = _count(rows, len(x))
            out[:n] = x[:n] @ weight.values.T
            if weight.bias is not None:
                out[:n] += weight.bias

        self._do(run)

    def rms_norm(
        self,
        x: Float32,
        residual: Float32 | None,
        weight: Float32,
        eps: float,
        out: Float32,
        rows: Int32 | None = None,
    ) -> None:
        def run() -> None:
            n = _count(rows, len(x))
            if residual is not None:
                residual[:n] += x[:n]
            out[:n] = rms((x if residual is None else residual)[:n], weight, eps)

        self._do(run)

    def silu_mul(self, x: Float32, out: Float32, rows: Int32 | None = None) -> None:
        def run() -> None:
            n, f = _count(rows, len(x)), out.shape[1]
            gate, up = x[:n, :f], x[:n, f:]
            with np.errstate(over="ignore"):  # e^−gate may be inf; the quotient is then 0, as it should be
                out[:n] = gate / (np.float32(1) + np.exp(-gate)) * up

        self._do(run)

    def new_kv(self, shape: HeadShape, num_pages: int) -> ReferenceKv:
        size = (num_pages, shape.layers, 2, W, shape.kv_heads, shape.head_size)
        return ReferenceKv(shape, np.full(size, np.nan, np.float32))

    def kv_bytes(self, shape: HeadShape) -> int:
        return shape.layers * 2 * W * shape.kv_heads * shape.head_size * 4

    def copy_pages(self, kv: ReferenceKv, pairs: Int32) -> None:
        for source, target in pairs:
            kv.pages[target] = kv.pages[source]

    def rope_write(
        self,
        qkv: Float32,
        norms: tuple[Float32, Float32] | None,
        eps: float,
        rope: tuple[Float32, Float32],
        kv: ReferenceKv,
        layer: int,
        plan: Plan,
        out: Float32,
    ) -> None:
        H, G, D = kv.shape.heads, kv.shape.kv_heads, kv.shape.head_size

        def run() -> None:
            n = int(plan.num_tokens[0])
            positions = plan.positions[:n]
            heads = qkv[:n].reshape(n, H + 2 * G, D)
            q, k, v = heads[:, :H], heads[:, H : H + G], heads[:, H + G :]
            if norms is not None:
                q, k = rms(q, norms[0], eps), rms(k, norms[1], eps)
            cos, sin = rope[0][positions], rope[1][positions]
            out[:n] = rotate(q, cos, sin).reshape(n, H * D)
            k = rotate(k, cos, sin)
            for s in range(int(plan.num_seqs[0])):
                for i in range(plan.starts[s], plan.starts[s + 1]):
                    page, slot = plan.tables[s, positions[i] // W], positions[i] % W
                    kv.pages[page, layer, 0, slot] = k[i]
                    kv.pages[page, layer, 1, slot] = v[i]

        self._do(run)

    def attend(self, q: Float32, kv: ReferenceKv, layer: int, plan: Plan, out: Float32) -> None:
        H, G, D = kv.shape.heads, kv.shape.kv_heads, kv.shape.head_size
        scale = np.float32(1) / np.sqrt(np.float32(D))

        def run() -> None:
            for s in range(int(plan.num_seqs[0])):
                for i in range(plan.starts[s], plan.starts[s + 1]):
                    length = plan.positions[i] + 1
                    pages = kv.pages[plan.tables[s, : -(-length // W)], layer]  # [pages, 2, W, G, D]
                    k, v = (pages[:, j].reshape(-1, G, D)[:length] for j in (0, 1))
                    for h in range(H):
                        g = h // (H // G)
                        weights = softmax((k[:, g] @ q[i, h * D : (h + 1) * D]) * scale)
                        out[i, h * D : (h + 1) * D] = weights @ v[:, g]

        self._do(run)

    def sample(self, logits: Float32, params: RowParams, plan: Plan, out: SamplerOutput) -> None:
        self._do(lambda: reference_sampling.sample(logits, params, int(plan.num_sampled[0]), out))

    def beam_step(self, logits: Float32, searches: SearchBuffers) -> None:
        self._do(lambda: reference_beam.beam_step(logits, searches))

"""The seam between the engine and a device: one object, chosen once, whose methods are all that runs on it.

The docstrings are the contract; `reference.py` is its plain statement in numpy, and each implementation is
tested against it. Shapes use one alphabet (docs/design.md §2):

    N query tokens in the batch (ragged) · S sequences · R rows whose logits are wanted · P pages · W positions
    per page · M most pages per sequence · H query heads · G key/value heads · D head size · C model width ·
    F feed-forward width · V vocabulary · K beams · L layers

Rules that hold for every operation:

- Outputs go into buffers that the caller owns. No operation allocates in a step, waits for the host, or reads
  a Python value that changes from step to step: what changes lies in the plan's buffers, at fixed addresses.
- `rows` is an int32 buffer of one element: only that many leading rows are live. Rows behind it are neither
  read nor written. None means all.
- The result of a row depends on that row (and its sequence's keys and values) alone: not on N, S, its place in
  the batch, chunking, page ids or threads. Bit for bit.
- N = 0, S = 0, R = 0 are legal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

from .arrays import Buffer, Int32
from .buffers import Plan, RowParams, SamplerOutput
from .searches import SearchBuffers
from .tensor import Tensor

# Opaque: made by `pack`, `new_kv`, read by the operations of the same object only.
Weight = Any
KeyValues = Any


@dataclass(frozen=True, slots=True)
class HeadShape:
    """Sizes of attention: H query heads and G key/value heads of D each (H a multiple of G), over L layers."""

    layers: int
    heads: int
    kv_heads: int
    head_size: int


class Step(Protocol):
    """A recorded sequence of operations."""

    def replay(self) -> None:
        """Runs them all on what the buffers hold now, in one call."""


class Ops(Protocol):
    """The operations of one device."""

    name: str

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Buffer:
        """A buffer of this device; its contents are undefined (tests fill it with NaN)."""

    def upload(self, array: npt.NDArray[Any]) -> Buffer:
        """A constant of this device, such as a norm's weight or the rotary tables."""

    def pack(self, tensors: Sequence[Tensor], bias: Sequence[Tensor] = ()) -> Weight:
        """Matrices [out_i, in] of one dtype, stacked over their outputs, with their biases (all or none).

        Called once, at load. The result serves `linear`, and `embed` too, so that tied embeddings are held once.
        """

    def embed(self, ids: Int32, weight: Weight, out: Buffer, rows: Int32 | None = None) -> None:
        """out[i] = row ids[i] of the packed matrix, as float32. ids [N], out [N, C]."""

    def gather_rows(self, x: Buffer, index: Int32, out: Buffer, rows: Int32 | None = None) -> None:
        """out[r] = x[index[r]]. x [N, C], index [R], out [R, C]."""

    def linear(self, x: Buffer, weight: Weight, out: Buffer, rows: Int32 | None = None) -> None:
        """out = x · weightᵀ (+ bias). x [N, in], out [N, out].

        Each output is one chain of fused multiply-adds over k = 0 … in − 1, starting at +0; the bias is added last.
        """

    def rms_norm(
        self, x: Buffer, residual: Buffer | None, weight: Buffer, eps: float, out: Buffer, rows: Int32 | None = None
    ) -> None:
        """Root mean square norm over the last axis, after the residual add.

        With a residual: residual += x, in place, and the norm is of the residual. x, residual, out [N, C];
        weight [C]. out = r · (1 / √(mean(r²) + eps)) · weight. `out` may be `x`.
        """

    def silu_mul(self, x: Buffer, out: Buffer, rows: Int32 | None = None) -> None:
        """out = silu(x[:, :F]) · x[:, F:]. x [N, 2F], out [N, F]."""

    def new_kv(self, shape: HeadShape, num_pages: int) -> KeyValues:
        """Pages for keys and values of all layers, in the device's own layout. Contents undefined."""

    def kv_bytes(self, shape: HeadShape) -> int:
        """Bytes of one page over all layers."""

    def copy_pages(self, kv: KeyValues, pairs: Int32) -> None:
        """Copies page pairs[i, 0] onto page pairs[i, 1], in order. pairs [n, 2]. Runs at once, is not recorded."""

    def rope_write(
        self,
        qkv: Buffer,
        norms: tuple[Buffer, Buffer] | None,
        eps: float,
        rope: tuple[Buffer, Buffer],
        kv: KeyValues,
        layer: int,
        plan: Plan,
        out: Buffer,
    ) -> None:
        """Rotates queries and keys, and writes keys and values to the pages of the plan.

        qkv [N, (H + 2G) · D]: queries, keys, values. norms: RMS norm weights [D] of queries and keys, applied to
        each head before rotation (Qwen3), or None. rope: cos and sin, each [positions, D / 2]; the pair
        (x[i], x[i + D/2]) is turned by the angle of column i. out [N, H · D]: the rotated queries.
        """

    def attend(self, q: Buffer, kv: KeyValues, layer: int, plan: Plan, out: Buffer) -> None:
        """Causal grouped-query attention over the pages: prefill, chunk and decode are one operation.

        q, out [N, H · D]. Query head h reads key/value head h // (H / G); scores are q · k / √D. The axis of
        positions is cut at fixed multiples and merged in order, so that a query's result depends on its own
        sequence alone. Slots behind a length are never used: they may hold NaN.
        """

    def sample(self, logits: Buffer, params: RowParams, plan: Plan, out: SamplerOutput) -> None:
        """Draws a token from each of the first plan.num_sampled rows of logits [R, V] (docs/kernels.md)."""

    def beam_step(self, logits: Buffer, searches: SearchBuffers) -> None:
        """Moves the live searches on by a token, over their rows of logits [R, V] (searches.py)."""

    def buckets(self, limit: int) -> tuple[int, ...]:
        """The batch sizes (in tokens) to record steps for, ascending, the last one `limit`."""

    def record(self, body: Callable[[], None]) -> Step:
        """Runs `body` once to record the operations that it calls, without computing anything."""

    def close(self) -> None:
        """Gives the device's threads back. The object is of no use afterwards."""

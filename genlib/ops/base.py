"""The interface between the engine and a device: one object, chosen once, through which everything on it runs.

The docstrings are the contract. `reference.py` implements it in plain numpy, and every other implementation is tested
against that. Shapes use one alphabet (docs/design.md §2):

    N query tokens in the batch (ragged) · S sequences · R rows whose logits are needed · P pages · W positions
    per page · M maximum pages per sequence · H query heads · G key/value heads · D head size · C model width ·
    F feed-forward width · V vocabulary · K beams · L layers

Rules for every operation:

- Outputs are written to buffers that the caller owns. During a step no operation allocates, waits for the host, or
  reads a Python value that changes from step to step: whatever changes is in the plan's buffers, at fixed addresses.
- `rows` is an int32 buffer of one element, the number of live leading rows. Rows after them are neither read nor
  written. None means all.
- The result of a row depends only on that row (and on its sequence's keys and values), bit for bit: not on N, S, its
  place in the batch, chunking, page ids or threads.
- N = 0, S = 0 and R = 0 are valid.
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

# Opaque: made by `pack` and `new_kv`, used only by the operations of the same object.
Weight = Any
KeyValues = Any


@dataclass(frozen=True, slots=True)
class HeadShape:
    """Sizes of attention: H query heads and G key/value heads of size D (H is a multiple of G), in L layers."""

    layers: int
    heads: int
    kv_heads: int
    head_size: int


class Step(Protocol):
    """A recorded sequence of operations."""

    def launch(self) -> None:
        """Begins all of them on the current contents of the buffers, in one call. The host's buffers may be written to
        again once it returns, and read once `wait` has."""

    def wait(self) -> None:
        """Until what was launched last has ended, and the host's buffers hold its results. Raises what went wrong."""


class Ops(Protocol):
    """The operations of one device. name: in the fingerprint."""

    name: str

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Buffer:
        """A buffer on this device. Its contents are undefined (tests fill it with NaN)."""

    def activations(self, shape: Sequence[int]) -> Buffer:
        """The same for what operations pass to each other, in the type that the device computes in."""

    def upload(self, array: npt.NDArray[Any]) -> Buffer:
        """Copies a constant, such as a norm's weight or the rotary tables, to this device."""

    def pack(self, tensors: Sequence[Tensor], bias: Sequence[Tensor] = ()) -> Weight:
        """Stacks matrices [out_i, in] of one dtype along their outputs, with their biases (for all or none).

        Called once, at load. The result is used by both `linear` and `embed`, so that tied embeddings are stored once.
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
        """RMS norm over the last axis, after the residual addition.

        With a residual: residual += x, in place, and the norm is of the residual. x, residual, out [N, C];
        weight [C]. out = r · (1 / √(mean(r²) + eps)) · weight. `out` may be `x`.
        """

    def silu_mul(self, x: Buffer, out: Buffer, rows: Int32 | None = None) -> None:
        """out = silu(x[:, :F]) · x[:, F:]. x [N, 2F], out [N, F]."""

    def new_kv(self, shape: HeadShape, num_pages: int) -> KeyValues:
        """Allocates pages for the keys and values of all layers, in the device's layout. Contents are undefined."""

    def kv_bytes(self, shape: HeadShape) -> int:
        """Size of one page in bytes, over all layers."""

    def copy_pages(self, kv: KeyValues, pairs: Int32) -> None:
        """Copies page pairs[i, 0] to page pairs[i, 1], in order. pairs [n, 2]. Runs immediately, never recorded."""

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
        """Applies rotary embedding to queries and keys, and writes keys and values to the pages of the plan.

        qkv [N, (H + 2G) · D]: queries, keys, values. norms: RMS norm weights [D] for queries and keys, applied to each
        head before the rotation (Qwen3), or None. rope: cos and sin, each [positions, D / 2]; the pair
        (x[i], x[i + D/2]) is rotated by the angle of column i. out [N, H · D]: the rotated queries.
        """

    def attend(self, q: Buffer, kv: KeyValues, layer: int, plan: Plan, out: Buffer) -> None:
        """Causal grouped-query attention over the pages. Prefill, chunked prefill and decode are one operation.

        q, out [N, H · D]. Query head h reads key/value head h // (H / G); scores are q · k / √D. The axis of positions
        is split at fixed multiples and merged in order, so that a query's result depends only on its own sequence.
        Slots beyond a sequence's length are never used: they may contain NaN.
        """

    def sample(self, logits: Buffer, params: RowParams, plan: Plan, out: SamplerOutput) -> None:
        """Samples a token from each of the first plan.num_sampled rows of logits [R, V] (docs/kernels.md)."""

    def beam_step(self, logits: Buffer, searches: SearchBuffers) -> None:
        """Advances the live searches by a token, given their rows of logits [R, V] (searches.py)."""

    def buckets(self, limit: int) -> tuple[int, ...]:
        """The batch sizes (in tokens) for which to record steps: ascending, the last one is `limit`."""

    def record(self, body: Callable[[], None], rows: int) -> Step:
        """Records the operations that `body` calls, for up to `rows` tokens, without executing them. `body` is called
        once."""

    def close(self) -> None:
        """Releases the device's threads. The object cannot be used afterwards."""

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
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from .tensor import Tensor

if TYPE_CHECKING:
    from .searches import Searches

# A device's array: numpy on the CPU. Only the operations look inside.
Buffer = Any
# Opaque: made by `pack`, `new_kv`, read by the operations of the same object only.
Weight = Any
KeyValues = Any

Int32 = npt.NDArray[np.int32]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HeadShape:
    """Sizes of attention: H query heads and G key/value heads of D each (H a multiple of G), over L layers."""

    layers: int
    heads: int
    kv_heads: int
    head_size: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The index tensors of one step. Built whole by `batch`, in one native call, at addresses that stay.

    Sequence s owns query tokens starts[s] to starts[s+1]; their keys and values go to positions
    positions[i] of its pages, and token i sees positions 0 to positions[i] of its own sequence.
    """

    num_tokens: Int32  # [1] N
    num_seqs: Int32  # [1] S
    num_rows: Int32  # [1] R
    num_draws: Int32  # [1] the first of the R rows, that `sample` draws from; those behind are for beams
    ids: Int32  # [N]
    positions: Int32  # [N]
    starts: Int32  # [S + 1]
    lengths: Int32  # [S] positions of the sequence after this step, = last query's position + 1
    tables: Int32  # [S, M] page ids
    rows: Int32  # [R] query tokens whose logits are wanted


@dataclass(frozen=True, slots=True)
class RowParams:
    """Parameters of each row to be drawn, as the sampler's contract has them (docs/kernels.md).

    scale: float32(log2(e) / T), 0 for greedy. top_k: 0 is off. top_p: max(1, floor(p · 2³²)), 0 is off (p = 1).
    min_p: float32(log2(min_p)), −inf is off. mask: row of `masks`, −1 is none. forced: −1 to draw, or a token id
    whose probability is wanted instead of a draw. top_n: how many of the most likely tokens to report, 0 is off.

    repetition, presence, frequency: penalties, off at 1, 0, 0. Tokens that have a bias or have occurred are the
    row's edits: edit_count[r] entries of the `edit_` arrays from edit_start[r] on, ids ascending, each once.
    """

    scale: Float32  # [R]
    top_k: Int32  # [R]
    top_p: npt.NDArray[np.uint32]  # [R]
    min_p: Float32  # [R]
    seed: npt.NDArray[np.uint64]  # [R]
    stream: npt.NDArray[np.uint64]  # [R]
    position: npt.NDArray[np.int64]  # [R]
    mask: Int32  # [R]
    forced: Int32  # [R]
    top_n: Int32  # [R]
    repetition: Float32  # [R]
    presence: Float32  # [R]
    frequency: Float32  # [R]
    edit_start: npt.NDArray[np.int64]  # [R]
    edit_count: Int32  # [R]
    masks: npt.NDArray[np.uint32]  # [rows of masks, ceil(V / 32)] bit v % 32 of word v // 32: token v is allowed
    edit_token: Int32  # [E]
    edit_bias: Float32  # [E] added to the logit
    edit_seen: Int32  # [E] −1: has not occurred; 0: only in what was not generated; n: n times in generated text


@dataclass(frozen=True, slots=True)
class Drawn:
    """What `sample` writes for each row. status 0 is good; 1: nothing finite is allowed; 2: something is +inf.

    The top_ arrays hold the model's `top_n` most likely tokens, best first, and −1, 0, −inf where finite ones end.
    What lies behind `top_n` is not written.
    """

    token: Int32  # [R]
    probability: Float32  # [R] under the model: softmax of the unmodified logits, temperature 1
    logprob: Float32  # [R] its natural logarithm
    sampling_probability: Float32  # [R] under the distribution drawn from
    num_kept: Int32  # [R]
    status: Int32  # [R]
    top_token: Int32  # [R, N] for top_n up to N
    top_probability: Float32  # [R, N] under the model
    top_logprob: Float32  # [R, N]


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

    def sample(self, logits: Buffer, params: RowParams, plan: Plan, out: Drawn) -> None:
        """Draws a token from each of the first plan.num_draws rows of logits [R, V] (docs/kernels.md)."""

    def beam_step(self, logits: Buffer, searches: Searches) -> None:
        """Moves the live searches on by a token, over their rows of logits [R, V] (searches.py)."""

    def buckets(self, limit: int) -> tuple[int, ...]:
        """The batch sizes (in tokens) to record steps for, ascending, the last one `limit`."""

    def record(self, body: Callable[[], None]) -> Step:
        """Runs `body` once to record the operations that it calls, without computing anything."""

    def close(self) -> None:
        """Gives the device's threads back. The object is of no use afterwards."""

"""Operations on rows, in torch.

Every product and sum is over a block of BLOCK rows: libraries choose a kernel, and with it the order of a sum, by the
shape, so a row has the same bits in any company.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import BackendError

BLOCK = 64
ALIGNED = 16  # of other widths, the order in which a library sums hangs on where a row begins


def blocks(n: int) -> Iterator[slice]:
    """The rows of n, a block at a time."""
    return (slice(first, min(first + BLOCK, n)) for first in range(0, n, BLOCK))


def padded(x: Tensor) -> Tensor:
    """A whole block, with zeros behind the rows of x [m, …]."""
    block = x.new_zeros(BLOCK, *x.shape[1:])
    block[: len(x)] = x
    return block


def aligned(x: Tensor) -> Tensor:
    """x [rows, columns], with zeros up to whole multiples of ALIGNED."""
    return functional.pad(x, (0, -x.shape[1] % ALIGNED, 0, -x.shape[0] % ALIGNED))


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """out = x · weightᵀ (+ bias). x [n, in], out [n, outputs], weight: aligned. The sums are float32."""
    for rows in blocks(len(x)):
        y = product(aligned(padded(x[rows])), weight, out.dtype)[: rows.stop - rows.start, : out.shape[1]]
        out[rows] = y if bias is None else y + bias


def product(x: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """x · weightᵀ, rounded to `dtype` once. x [BLOCK, in], weight [outputs, in]."""
    if dtype == x.dtype:
        return functional.linear(x, weight)
    if x.is_cuda:
        return torch.mm(x, weight.t(), out_dtype=dtype)
    return functional.linear(x.to(dtype), weight.to(dtype))


def check_product(weight: Tensor) -> None:
    """Raises BackendError if a row's product with this weight depends on its place in the block."""
    x = torch.randn(BLOCK, weight.shape[1], generator=torch.Generator().manual_seed(0)).to(weight)
    for dtype in {weight.dtype, torch.float32}:
        y = product(x, weight, dtype)
        for places in (torch.arange(BLOCK - 1, -1, -1), torch.arange(BLOCK).roll(5)):
            if not torch.equal(product(x[places], weight, dtype), y[places]):
                what = f"torch's product of {weight.dtype} {tuple(weight.shape)} on {weight.device}"
                raise BackendError(f"{what} depends on a row's place, so a seed could not be kept")


def rms(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / √(mean(x²) + eps) · weight, over the last axis. x [n, …, C], float32."""
    flat = x.reshape(-1, x.shape[-1])
    squares = torch.cat([dots(padded(flat[rows]))[: rows.stop - rows.start] for rows in blocks(len(flat))] or [flat])
    mean = squares.reshape(*x.shape[:-1], 1) / x.shape[-1]
    return x * torch.rsqrt(mean + eps) * weight


def dots(x: Tensor) -> Tensor:
    """The square of each row's length. x [BLOCK, C] → [BLOCK]."""
    return torch.bmm(x[:, None, :], x[:, :, None])[:, 0, 0]


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x [n, heads, D] rotated by the angles of cos, sin [n, D / 2]; the pairs are (i, i + D/2)."""
    a, b = x.chunk(2, dim=-1)
    c, s = cos[:, None, :], sin[:, None, :]
    return torch.cat([a * c - b * s, b * c + a * s], dim=-1)


def silu_mul(x: Tensor) -> Tensor:
    """silu(x[:, :F]) · x[:, F:]. x [n, 2F], float32."""
    gate, up = x.chunk(2, dim=-1)
    return functional.silu(gate) * up

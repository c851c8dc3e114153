"""Tiles of a row on a GPU: where they lie, their logits, and the maximum or the sum over a row's tiles.

A tile is 1024 consecutive ids, except where peaks are looked for. How a row is cut into tiles depends on V, and on
whether the row has edits. No sum of integers and no maximum depends on it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from . import sizes
from .mass import INFINITY

TILE = tl.constexpr(sizes.TILE)
SEGMENT = tl.constexpr(sizes.GROUPS)  # consecutive ids of a tile whose peaks are looked for, one of each group
SEGMENTS = tl.constexpr(sizes.TILE // sizes.GROUPS)
WIDEST = tl.constexpr(sizes.WIDEST)
FEW_TILES = tl.constexpr(128)  # read at once where registers are few
LARGEST_ID = tl.constexpr(0x7FFFFFFF)  # no token's


class Logits(NamedTuple):
    """The logits of a call."""

    data: Any  # [S, V] float32, bfloat16 or float16
    stride: Any  # elements from a row to the next
    size: Any  # V, from 2 to 2^20


@triton.jit
def num_tiles(logits):
    """T."""
    return tl.cdiv(logits.size, TILE)


@triton.jit
def row_and_tile(logits):
    """The row and the tile of a program in a grid of S · T."""
    tiles = num_tiles(logits)
    program = tl.program_id(0)
    return (program // tiles).to(tl.int64), program % tiles


@triton.jit
def ids_of(tile):
    """The token ids [1024] of a tile."""
    return tl.arange(0, TILE) + tile * TILE


@triton.jit
def load_logits(logits, s, ids):
    """The logits of row s at `ids`, in their dtype; −inf beyond the end.

    NaN stays: it has no mass, and is not larger than anything.
    """
    return tl.load(logits.data + s * logits.stride + ids, mask=ids < logits.size, other=-INFINITY)


@triton.jit
def load_values(logits, s, ids):
    """The same as float32."""
    return load_logits(logits, s, ids).to(tl.float32)


@triton.jit
def without_nan(x):
    """NaN counts as −inf."""
    return tl.where(x == x, x, -INFINITY)  # noqa: PLR0124


@triton.jit
def row_max(numbers, s, n, BLOCK: tl.constexpr):
    """The largest of row s of the floats [S, n], read BLOCK at a time."""
    at = tl.arange(0, BLOCK)
    best = tl.load(numbers + s * n + at, mask=at < n, other=-INFINITY)
    if BLOCK < WIDEST:
        for i in range(BLOCK, n, BLOCK):
            best = tl.maximum(best, tl.load(numbers + s * n + i + at, mask=i + at < n, other=-INFINITY))
    return tl.max(best)


@triton.jit
def row_sum(numbers, s, tiles):
    """The sum of row s of the integers [S, T]."""
    tile = tl.arange(0, WIDEST)
    return tl.sum(tl.load(numbers + s * tiles + tile, mask=tile < tiles, other=0))

"""Tiles of a row on a GPU: where they lie, their logits, and what is largest or the sum over a row's tiles.

A tile is 1024 consecutive ids, but where peaks are looked for. How a row is cut by tiles is a function of V, and of
whether the row has edits. No sum of integers and no maximum depends on it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from . import sizes
from .mass import INFINITY

TILE = tl.constexpr(sizes.TILE)
WIDEST = tl.constexpr(sizes.WIDEST)
FEW_TILES = tl.constexpr(128)
LARGEST_ID = tl.constexpr(0x7FFFFFFF)  # no token's


class Logits(NamedTuple):
    """data [S, V], rows `stride` apart. V may be any number from 2 to 2^20."""

    data: Any
    stride: Any
    size: Any


@triton.jit
def num_tiles(logits):
    """T of a row."""
    return tl.cdiv(logits.size, TILE)


@triton.jit
def row_and_tile(logits):
    """Of a program in a grid of S · T. The row is an int64, since S · V may be above 2³¹."""
    tiles = num_tiles(logits)
    program = tl.program_id(0)
    return (program // tiles).to(tl.int64), program % tiles


@triton.jit
def ids_of(tile):
    """The token ids [1024] of a tile."""
    return tl.arange(0, TILE) + tile * TILE


@triton.jit
def load_logits(logits, s, ids):
    """Row s at `ids`, as they came; −inf behind the end. NaN stays: it has no mass, and is no larger than anything."""
    return tl.load(logits.data + s * logits.stride + ids, mask=ids < logits.size, other=-INFINITY)


@triton.jit
def load_values(logits, s, ids):
    """The same, as float32."""
    return load_logits(logits, s, ids).to(tl.float32)


@triton.jit
def without_nan(x):
    """NaN counts as −inf."""
    return tl.where(x == x, x, -INFINITY)  # noqa: PLR0124


@triton.jit
def row_max(numbers, s, tiles, BLOCK: tl.constexpr):
    """The largest of a row's tiles' floats [S, T], read BLOCK at a time."""
    at = tl.arange(0, BLOCK)
    best = tl.load(numbers + s * tiles + at, mask=at < tiles, other=-INFINITY)
    if BLOCK < WIDEST:
        for i in range(BLOCK, tiles, BLOCK):
            best = tl.maximum(best, tl.load(numbers + s * tiles + i + at, mask=i + at < tiles, other=-INFINITY))
    return tl.max(best)


@triton.jit
def row_sum(numbers, s, tiles):
    """The sum of a row's tiles' integers [S, T]."""
    at = tl.arange(0, WIDEST)
    return tl.sum(tl.load(numbers + s * tiles + at, mask=at < tiles, other=0))

"""Tiles of a row on a GPU: where they lie, their values with mask and edits, and sums over a row's tiles.

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

# What a call gave as tensors [S]; the rest is numbers for all rows.
TEMPERATURE = tl.constexpr(1)
TOP_K = tl.constexpr(2)
TOP_P = tl.constexpr(4)
MIN_P = tl.constexpr(8)
STREAM = tl.constexpr(16)
REPETITION = tl.constexpr(32)
PRESENCE = tl.constexpr(64)
FREQUENCY = tl.constexpr(128)
MASK = tl.constexpr(256)
EDITS = tl.constexpr(512)


class Logits(NamedTuple):
    """data [S, V], rows `stride` apart. V may be any number from 2 to 2^20."""

    data: Any
    stride: Any
    size: Any


class Changes(NamedTuple):
    """What changes logits before the temperature: a mask, and the edits of docs/kernels.md.

    mask [S, ceil(V / 32)] int32, rows `mask_stride` apart. start int64, count int32 [S] say which entries of token
    int32, bias float32, seen int32 [E] are a row's. Penalties: a tensor [S] if `given` says so, else a number.
    """

    mask: Any
    mask_stride: Any
    start: Any
    count: Any
    token: Any
    bias: Any
    seen: Any
    repetition: Any
    presence: Any
    frequency: Any
    repetition_number: Any
    presence_number: Any
    frequency_number: Any


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
def number_or_row(given, FLAG: tl.constexpr, tensor, s, number):
    """A parameter of row s."""
    return tl.load(tensor + s, mask=(given & FLAG) != 0, other=number)


@triton.jit
def num_edits(changes, given, s, PLAIN: tl.constexpr):
    """Entries of row s."""
    if PLAIN:
        return 0
    return tl.load(changes.count + s, mask=(given & EDITS) != 0, other=0)


@triton.jit
def masked(x, ids, logits, changes, given, s):
    """x, or −inf where the mask forbids the token."""
    end = tl.where((given & MASK) != 0, logits.size, 0)
    word = tl.load(changes.mask + s * changes.mask_stride + ids // 32, mask=ids < end, other=-1)
    return tl.where(((word >> (ids % 32)) & 1) != 0, x, -INFINITY)


@triton.jit
def edited(x, bias, seen, repetition, presence, frequency):
    """A token's value after its bias and the three penalties. Scalars.

    The quotient through float64 is the float32 quotient: 53 bits are enough to round twice.
    """
    z = x + bias
    quotient = (z.to(tl.float64) / repetition.to(tl.float64)).to(tl.float32)
    z = tl.where(seen >= 0, tl.where(z > 0, quotient, z * repetition), z)
    return tl.where(seen > 0, (z - presence) - frequency * seen.to(tl.float32), z)


@triton.jit
def with_edits(z, ids, first, logits, changes, given, s):
    """The tile's values with the row's edits among its ids, which must be consecutive from `first`."""
    start = tl.load(changes.start + s, mask=(given & EDITS) != 0, other=0)
    count = num_edits(changes, given, s, False)
    begin = 0
    end = 0
    for i in range(0, count, 512):
        at = i + tl.arange(0, 512)
        tokens = tl.load(changes.token + start + at, mask=at < count, other=LARGEST_ID)
        begin += tl.sum((tokens < first).to(tl.int32))
        end += tl.sum((tokens < first + TILE).to(tl.int32))
    repetition = number_or_row(given, REPETITION, changes.repetition, s, changes.repetition_number).to(tl.float32)
    presence = number_or_row(given, PRESENCE, changes.presence, s, changes.presence_number).to(tl.float32)
    frequency = number_or_row(given, FREQUENCY, changes.frequency, s, changes.frequency_number).to(tl.float32)
    for entry in range(begin, end):
        token = tl.load(changes.token + start + entry)
        bias = tl.load(changes.bias + start + entry)
        seen = tl.load(changes.seen + start + entry)
        x = masked(load_values(logits, s, token), token, logits, changes, given, s)
        z = tl.where(ids == token, edited(x, bias, seen, repetition, presence, frequency), z)
    return z


@triton.jit
def processed(x, ids, first, logits, changes, given, s, PLAIN: tl.constexpr):
    """Values of row s at `ids` as they are drawn from. If the row has edits, they are 1024 consecutive from `first`."""
    if PLAIN:
        return x
    return with_edits(masked(x, ids, logits, changes, given, s), ids, first, logits, changes, given, s)


@triton.jit
def load_tile(logits, changes, given, s, tile, PLAIN: tl.constexpr):
    """The processed values [1024] of a tile."""
    ids = ids_of(tile)
    return processed(load_values(logits, s, ids), ids, tile * TILE, logits, changes, given, s, PLAIN)


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

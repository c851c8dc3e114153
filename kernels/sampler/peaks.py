"""The first look at a row: what is largest, and where. Only this reads the logits from device memory."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row import sizes
from ..row.mass import INFINITY, MODEL_SCALE
from ..row.tiles import LARGEST_ID, SEGMENT, SEGMENTS, load_values, num_tiles, without_nan
from .given import TEMPERATURE
from .values import num_edits, processed

GROUPS = tl.constexpr(sizes.GROUPS)


@triton.jit
def count_finite(x):
    """How many of x [64, 16] are above −inf."""
    return tl.sum(tl.sum((x > -INFINITY).to(tl.int32), 1))


@triton.jit
def tile_peak_of(x, group_peak, at, LISTS: tl.constexpr):
    """The largest of x [64, 16], the values of tile `at` of all rows; with LISTS, stores those of its groups too."""
    if LISTS:
        groups = tl.max(x, 0)
        tl.store(group_peak + at * GROUPS + tl.arange(0, GROUPS), groups)
        peak = tl.max(groups)
    else:
        peak = tl.max(tl.max(x, 1))
    return peak


@triton.jit
def fixed_sum(x):
    """The sum of the floats x [64, 16]: always the same pairs are added, whatever threads have them."""
    for i in tl.static_range(2):
        x = tl.sum(tl.reshape(x, [2, 2 >> i, 16, 16]), 0)
    x = tl.reshape(x, [16, 16])
    for i in tl.static_range(4):
        x = tl.sum(tl.reshape(x, [16, 8 >> i, 2]), 2)
    x = tl.reshape(x, [16])
    for i in tl.static_range(4):
        x = tl.sum(tl.reshape(x, [8 >> i, 2]), 1)
    return tl.sum(x)


@triton.jit
def peaks_of(values, settings, work, s, tile, PLAIN: tl.constexpr, LISTS: tl.constexpr):
    """Finds what is largest in a tile of row s, and where.

    A full tile is 64 segments of 16 ids, 32 bytes of bfloat16. From each segment to the next there are as many as
    there are full tiles: tokens that lie together in the vocabulary are often likely together, and so they come into
    different tiles. The last tile, if it is not full, and all tiles of a row with edits are consecutive ids. A group
    is the ids of a tile that are equal modulo 16.
    """
    logits, given = values.logits, values.given
    full = logits.size // (SEGMENTS * SEGMENT)
    apart = (tile < full) & (num_edits(values, s, PLAIN) == 0)
    first = tl.where(apart, tile, tile * SEGMENTS)
    segments = first + tl.arange(0, SEGMENTS) * tl.where(apart, full, 1)
    ids = segments[:, None] * SEGMENT + tl.arange(0, SEGMENT)[None, :]
    x = load_values(logits, s, ids)
    finite = tl.full((), SEGMENTS * SEGMENT, tl.int32)
    z = x
    if PLAIN:
        # One sum tells whether all are finite, as they mostly are: then no logit need be looked at by itself.
        if not (tl.abs(tl.sum(tl.sum(x, 1))) < INFINITY):
            z = without_nan(x)
            finite = count_finite(z)
    else:
        x = without_nan(x)
        z = processed(values, s, x, ids, first * SEGMENT, PLAIN)
        finite = count_finite(z)
    at = s * num_tiles(logits) + tile
    peak = tile_peak_of(z, work.group_peak, at, LISTS)
    tl.store(work.tile_peak + at, peak)
    tl.store(work.tile_finite + at, finite)
    greedy = settings.scale_number == 0
    exact = settings.scale_number == MODEL_SCALE
    if (given & TEMPERATURE) != 0:
        temperature = tl.load(settings.temperature + s)
        greedy = temperature == 0
        exact = temperature == 1
    if greedy:
        tl.store(work.tile_first + at, tl.min(tl.min(tl.where(z == peak, ids, LARGEST_ID), 1)))
    raw = z
    raw_peak = peak
    if not PLAIN:
        raw = x
        raw_peak = tile_peak_of(x, work.raw_group_peak, at, LISTS)
        tl.store(work.raw_peak + at, raw_peak)
    if not exact:
        # The only approximate number: it serves the model's probability where the temperature is not 1.
        base = tl.where(raw_peak > -INFINITY, raw_peak, 0.0)
        tl.store(work.raw_sum + at, fixed_sum(tl.exp2((raw - base) * MODEL_SCALE)))

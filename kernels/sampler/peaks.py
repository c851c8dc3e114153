"""The first look at a row: what is largest, and where. Only this reads the logits from device memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from genlib.ops import rows

from ..row import sizes
from ..row.mass import INFINITY, LN_2, MODEL_SCALE, natural_log
from ..row.tiles import LARGEST_ID, load_values, num_tiles, without_nan
from .given import MIN_P, STREAM, TEMPERATURE, TOP_K, TOP_P, number_or_row
from .values import num_edits, processed

GROUPS = SEGMENT = tl.constexpr(sizes.GROUPS)
SEGMENTS = tl.constexpr(sizes.TILE // sizes.GROUPS)
LOG2_E = tl.constexpr(rows.LOG2_E)
WIDEST_SCALE = TWO_64 = tl.constexpr(2.0**64)
NARROWEST_SCALE = tl.constexpr(2.0**-64)
SMALLEST_NORMAL = tl.constexpr(2.0**-1022)
TWO_32 = tl.constexpr(4294967296)


class Settings(NamedTuple):
    """A call's parameters in the user's units, each a tensor [S] where `given` says so. Numbers are converted."""

    temperature: Any
    top_k: Any
    top_p: Any
    min_p: Any
    stream: Any
    scale_number: Any
    min_p_number: Any


@triton.jit
def convert(settings, work, given, s, top_k, top_p_bits, stream):
    """Writes row s of the parameters as RowParams has them (genlib/ops/rows.py), for the kernels that follow."""
    scale = settings.scale_number
    if (given & TEMPERATURE) != 0:
        temperature = tl.load(settings.temperature + s).to(tl.float64)
        wide = tl.full((), LOG2_E, tl.float64) / temperature
        wide = tl.minimum(tl.maximum(wide, NARROWEST_SCALE), WIDEST_SCALE)
        scale = tl.where(temperature == 0, 0.0, wide).to(tl.float32)
    tl.store(work.scale + s, scale)
    share = top_p_bits.to(tl.uint32, bitcast=True).to(tl.int64)
    if (given & TOP_P) != 0:
        p = tl.load(settings.top_p + s).to(tl.float64)
        share = tl.maximum((p * TWO_32).to(tl.int64), 1)
        share = tl.where(p >= 1, 0, share)
    tl.store(work.top_p + s, share)
    floor = settings.min_p_number
    if (given & MIN_P) != 0:
        p = tl.load(settings.min_p + s).to(tl.float64)
        denormal = p < SMALLEST_NORMAL
        log = natural_log(tl.where(denormal, p * TWO_64, p)) / LN_2 - tl.where(denormal, 64.0, 0.0)
        floor = tl.where(p > 0, log, -INFINITY).to(tl.float32)
    tl.store(work.min_p + s, floor)
    k = number_or_row(given, TOP_K, settings.top_k, s, top_k)
    tl.store(work.top_k + s, tl.minimum(tl.maximum(k, 0), LARGEST_ID).to(tl.int32))  # a tensor may hold anything
    tl.store(work.stream + s, number_or_row(given, STREAM, settings.stream, s, stream).to(tl.int64))


@triton.jit
def count_finite(x):
    """How many of x [n, m] are above −inf."""
    return tl.sum(tl.sum((x > -INFINITY).to(tl.int32), 1))


@triton.jit
def tile_peak_of(x, group_peak, at, LISTS: tl.constexpr):
    """The largest of x [64, 16], a tile's values; those of its groups are stored if LISTS."""
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
def peaks_of(logits, settings, changes, work, given, s, tile, PLAIN: tl.constexpr, LISTS: tl.constexpr):
    """What is largest in a tile of row s, and where.

    A full tile is 64 segments of 16 ids, 32 bytes of bfloat16, each as many segments from the next as there are such
    tiles: so tokens which lie together in the vocabulary, and are often likely together, come into different tiles.
    The last tile if it is not full, and all if the row has edits, are consecutive ids. A group is the ids of a tile
    that are equal modulo 16.
    """
    full = logits.size // (SEGMENTS * SEGMENT)
    apart = (tile < full) & (num_edits(changes, given, s, PLAIN) == 0)
    first = tl.where(apart, tile, tile * SEGMENTS)
    segments = first + tl.arange(0, SEGMENTS) * tl.where(apart, full, 1)
    ids = segments[:, None] * SEGMENT + tl.arange(0, SEGMENT)[None, :]
    x = load_values(logits, s, ids)
    finite = tl.full((), SEGMENTS * SEGMENT, tl.int32)
    z = x
    if PLAIN:
        # One sum tells that all is finite, which it mostly is: then nothing else need be asked of each logit.
        if not (tl.abs(tl.sum(tl.sum(x, 1))) < INFINITY):
            z = without_nan(x)
            finite = count_finite(z)
    else:
        x = without_nan(x)
        z = processed(x, ids, first * SEGMENT, logits, changes, given, s, PLAIN)
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
        # The only approximate number: it serves the model's probability at other temperatures than 1.
        base = tl.where(raw_peak > -INFINITY, raw_peak, 0.0)
        tl.store(work.raw_sum + at, fixed_sum(tl.exp2((raw - base) * MODEL_SCALE)))

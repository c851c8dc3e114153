"""The first kernel: the only one that reads the logits from device memory. What is largest, and where."""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from genlib.ops import rows

from . import sizes
from .mass import INFINITY, LN_2, MODEL_SCALE, natural_log
from .tiles import (
    LARGEST_ID,
    MIN_P,
    STREAM,
    TEMPERATURE,
    TOP_K,
    TOP_P,
    load_values,
    num_edits,
    num_tiles,
    number_or_row,
    processed,
    row_and_tile,
)

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
    tl.store(work.top_k + s, number_or_row(given, TOP_K, settings.top_k, s, top_k).to(tl.int32))
    tl.store(work.stream + s, number_or_row(given, STREAM, settings.stream, s, stream).to(tl.int64))


@triton.jit(do_not_specialize=["given", "top_k", "top_p_bits", "stream"])
def peaks(logits, settings, changes, work, given, top_k, top_p_bits, stream, PLAIN: tl.constexpr):
    """Grid S · T. The first tile's program also converts the row's parameters.

    Its tiles are 64 segments of 16 ids, 32 bytes of bfloat16: every T-th segment, so that tokens which lie together
    in the vocabulary, and are often likely together, come into different tiles; consecutive ones if the row has
    edits. A group is the ids of a tile that are equal modulo 16.
    """
    s, tile = row_and_tile(logits)
    tiles = num_tiles(logits)
    if tile == 0:
        convert(settings, work, given, s, top_k, top_p_bits, stream)
    apart = num_edits(changes, given, s, PLAIN) == 0
    first = tl.where(apart, tile, tile * SEGMENTS)
    segments = first + tl.arange(0, SEGMENTS) * tl.where(apart, tiles, 1)
    ids = segments[:, None] * SEGMENT + tl.arange(0, SEGMENT)[None, :]
    x = load_values(logits, s, ids)
    x = tl.where(x == x, x, -INFINITY)  # noqa: PLR0124 (NaN)
    z = processed(x, ids, first * SEGMENT, logits, changes, given, s, PLAIN)
    groups = tl.max(z, 0)
    peak = tl.max(groups)
    at = s * tiles + tile
    group = at * GROUPS + tl.arange(0, GROUPS)
    tl.store(work.group_peak + group, groups)
    tl.store(work.tile_peak + at, peak)
    tl.store(work.tile_finite + at, tl.sum(tl.sum((z > -INFINITY).to(tl.int32), 1)))
    greedy = settings.scale_number == 0
    exact = settings.scale_number == MODEL_SCALE
    if (given & TEMPERATURE) != 0:
        temperature = tl.load(settings.temperature + s)
        greedy = temperature == 0
        exact = temperature == 1
    if greedy:
        tl.store(work.tile_first + at, tl.min(tl.min(tl.where(z == peak, ids, LARGEST_ID), 1)))
    raw_peak = peak
    if not PLAIN:
        raw_groups = tl.max(x, 0)
        raw_peak = tl.max(raw_groups)
        tl.store(work.raw_group_peak + group, raw_groups)
        tl.store(work.raw_peak + at, raw_peak)
        exact = False
    if not exact:
        # The only approximate number: it serves the model's probability where its exact masses are not summed.
        base = tl.where(raw_peak > -INFINITY, raw_peak, 0.0)
        tl.store(work.raw_sum + at, tl.sum(tl.sum(tl.exp2((x - base) * MODEL_SCALE), 1)))

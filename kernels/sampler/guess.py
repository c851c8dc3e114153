"""Where a boundary probably lies: two keys around it, out of a sample. Wrong guesses cost time, never exactness."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import ALL, key_of, order_bits, sort, value_of_bits
from ..row.mass import INFINITY, target_of
from ..row.tiles import load_values
from .measure import weight_of, y_of
from .values import masked

SAMPLE = tl.constexpr(1024)
LOG_SAMPLE = tl.constexpr(10)
UNIT = tl.constexpr(2.0**-40)


@triton.jit
def guess(keys, by_count, measure, rest, doubts):
    """Keys low and high with the boundary probably in [low, high): 0 and ALL where the sample does not say.

    keys [SAMPLE], 0 for none. rest: the weight below the boundary, in units of the sample (masses · 2⁻⁴⁰), float32.
    doubts: how many standard deviations of the sample's weight below a key are left for error. Of a number of tokens,
    what is above is as uncertain as what is below, and may be the smaller. A sample of two keys or more is always cut.
    """
    keys = sort(keys, LOG_SAMPLE, True)
    rank = tl.arange(0, SAMPLE)
    there = keys != 0
    n = tl.sum(there.to(tl.int32))
    weight = weight_of(keys, by_count, measure).to(tl.float32) * tl.where(by_count, 1.0, UNIT)
    running = tl.cumsum(weight)
    below = tl.sum(weight) - running
    squares = weight * weight
    variance = tl.where(by_count, tl.minimum(below, running), tl.sum(squares) - tl.cumsum(squares))
    gap = rest - below
    wide = gap * gap >= doubts * doubts * variance
    low = tl.max(tl.where(there & wide & (gap >= 0), keys, 0))
    sure = there & wide & (gap < 0) & (rank >= n // 8) & (rank < n - 1)
    high = tl.min(tl.where(sure, keys, ALL))
    last = tl.min(tl.where(there, keys, ALL))
    middle = tl.max(tl.where(rank == n // 2, keys, 0))
    return low, tl.where((low <= last) & (high == ALL) & (n > 1), middle, high)


@triton.jit
def floor_of(min_p, measure):
    """The lowest key that min-p keeps, 0 if it is off: below it, y is less than min_p."""
    below = tl.full((), 0, tl.uint32)
    top = order_bits(measure.peak)
    bit = tl.full((), 0x80000000, tl.uint32)
    while bit != 0:
        trial = below | bit
        reaches = (trial > top) | (y_of(value_of_bits(trial), measure) >= min_p)
        below = tl.where(reaches, below, trial)
        bit >>= 1
    return tl.where(min_p > -INFINITY, (below + 1).to(tl.uint64) << 32, 0)


@triton.jit
def prepare(values, work, s, cuts, finite, whole, measure, room, PLAIN: tl.constexpr):
    """Leaves for `split` the keys between which the row's boundary probably lies, by a sample of the row.

    finite: how many of its values are; whole: its mass. The sample has the mask but not the edits: few tokens have
    any. With top-k and top-p both on, all that top-k keeps is to be listed if it can be.
    """
    size = values.logits.size
    floor = floor_of(cuts.min_p, measure)
    low = floor
    high = floor
    if (cuts.k > 0) | (cuts.top_p > 0):
        sampled = tl.minimum(size, SAMPLE)
        rank = tl.arange(0, SAMPLE)
        ids = tl.where(rank < sampled, (rank.to(tl.int64) * size // sampled).to(tl.int32), size)
        z = load_values(values.logits, s, ids)
        if not PLAIN:
            z = masked(values, s, z, ids)
        keys = tl.where(z > -INFINITY, key_of(z, ids), 0)
        share = sampled.to(tl.float32) / size.to(tl.float32)
        rest = (finite - cuts.k).to(tl.float32) * share
        if cuts.k == 0:
            rest = (whole - target_of(cuts.top_p.to(tl.uint64), whole)).to(tl.float32) * share * UNIT
        low, high = guess(keys, cuts.k > 0, measure, rest, 3.5)
        # Without ids, and so that no key comes to lie outside.
        low = (low >> 32) << 32
        high = tl.where(high == ALL, ALL, ((high + 0xFFFFFFFF) >> 32) << 32)
        if (cuts.k > 0) & (cuts.top_p > 0) & (cuts.k <= room // 2):
            high = tl.full((), ALL, tl.uint64)
    tl.store(work.floor + s, floor)
    tl.store(work.low + s, low)
    tl.store(work.high + s, high)
    tl.store(work.num_inside + s, 0)

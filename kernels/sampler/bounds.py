"""Which tokens are candidates: a value that they must reach, out of the peaks of groups of tokens."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row import sizes
from ..row.keys import LOWEST, LOWEST_ORDER, order_bits, value_of_bits
from ..row.mass import INFINITY
from ..row.tiles import num_tiles, row_sum
from .peaks import GROUPS

LISTED = tl.constexpr(sizes.LISTED)
BOUNDED = tl.constexpr(256)  # most groups whose peaks a threshold counts: about as many candidates, and some more
JOINED = tl.constexpr(1024)
LAST_BIT = tl.constexpr(1 << 11)


@triton.jit
def nth_largest(peaks, groups, n):
    """A float that at least n of the groups' peaks [groups] reach, within 2⁻¹¹ relative of the n-th largest peak.

    Beyond 1024 groups they are joined, every 1024th to one.
    """
    at = tl.arange(0, JOINED)
    joined = tl.load(peaks + at, mask=at < groups, other=-INFINITY)
    for i in range(JOINED, groups, JOINED):
        joined = tl.maximum(joined, tl.load(peaks + i + at, mask=i + at < groups, other=-INFINITY))
    orders = order_bits(joined)
    found = tl.full((), 0, tl.uint32)
    bit = tl.full((), 0x80000000, tl.uint32)
    reached = n + 1
    while (bit > LAST_BIT) & (reached != n):
        trial = found | bit
        count = tl.sum((orders >= trial).to(tl.int32))
        found = tl.where(count >= n, trial, found)
        reached = tl.where(count >= n, count, reached)
        bit >>= 1
    return tl.where(found < LOWEST_ORDER, LOWEST, value_of_bits(found))


@triton.jit
def bound_candidates(logits, work, s, top_n):
    """Notes the value that candidates of row s must reach: k groups' peaks do, so top-k finds its k among them.

    Also empties the row's lists, and takes back a top-k that keeps all.
    """
    tiles = num_tiles(logits)
    groups = tiles * GROUPS
    finite = row_sum(work.tile_finite, s, tiles)
    k = tl.load(work.top_k + s)
    k = tl.where(k < finite, k, 0)
    tl.debug_barrier()  # all warps have read it
    tl.store(work.top_k + s, k)
    truncates = (k > 0) | (tl.load(work.top_p + s) > 0) | (tl.load(work.min_p + s) > -INFINITY)
    threshold = INFINITY
    if truncates & (tl.load(work.scale + s) != 0):
        n = tl.minimum(tl.where(k > 0, k, groups * 3 // 4), BOUNDED)
        threshold = LOWEST
        if finite > LISTED:
            threshold = nth_largest(work.group_peak + s * groups, groups, n)
    tl.store(work.threshold + s, threshold)
    tl.store(work.num_listed + s, 0)
    raw_threshold = INFINITY
    if top_n > 0:
        raw_threshold = nth_largest(work.raw_group_peak + s * groups, groups, top_n)
    tl.store(work.raw_threshold + s, raw_threshold)
    tl.store(work.num_top + s, 0)

"""A value that enough tokens of a row reach, from the peaks of groups of tokens."""

from __future__ import annotations

import triton
import triton.language as tl

from .keys import LOWEST, LOWEST_ORDER, order_bits, value_of_bits
from .mass import INFINITY

JOINED = tl.constexpr(1024)
LAST_BIT = tl.constexpr(1 << 11)  # the search stops there: 12 bits of the significand are left open


@triton.jit
def nth_largest(peaks, groups, n):
    """A float that at least n of the peaks [groups] reach, within 2⁻¹¹ relative of the n-th largest.

    If there are more than 1024 groups, every 1024th are joined to one.
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

"""A value that enough tokens of a row reach, out of the peaks of groups of tokens."""

from __future__ import annotations

import triton
import triton.language as tl

from .keys import LOWEST, LOWEST_ORDER, order_bits, value_of_bits
from .mass import INFINITY

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

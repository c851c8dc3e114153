"""A row's list of candidates: vectors of eight tokens, of which at least one is a candidate."""

from __future__ import annotations

import triton
import triton.language as tl

from . import sizes

LISTED = tl.constexpr(sizes.LISTED)
VECTOR = tl.constexpr(sizes.VECTOR)


@triton.jit
def append(x, firsts, threshold, counter, listed_first, listed):
    """Lists those vectors of a tile that hold a candidate.

    x [n, VECTOR]: the tile's values; firsts [n]: each vector's first id. The list: listed_first [LISTED] int32, listed
    [LISTED, VECTOR], counter: how many vectors it has. Those for which it has no place are only counted.
    """
    chosen = tl.sum((x.to(tl.float32) >= threshold).to(tl.int32), 1) > 0
    count = tl.sum(chosen.to(tl.int32))
    if count > 0:
        places = tl.atomic_add(counter, count, sem="relaxed") + tl.cumsum(chosen.to(tl.int32)) - 1
        chosen = chosen & (places < LISTED)
        tl.store(listed_first + places, firsts, mask=chosen)
        at = places[:, None] * VECTOR + tl.arange(0, VECTOR)[None, :]
        tl.store(listed + at, x, mask=chosen[:, None])

"""A row's list of candidates: vectors of eight tokens of which one at least is a candidate."""

from __future__ import annotations

import triton
import triton.language as tl

from . import sizes

LISTED = tl.constexpr(sizes.LISTED)
VECTOR = tl.constexpr(sizes.VECTOR)


@triton.jit
def append(z, vectors, threshold, counter, firsts, values):
    """Puts those of a tile's vectors of 8 tokens on a row's list that hold a candidate: first id and values.

    z [128, 8], vectors [128]: their first ids. Those for which the list has no place are counted only.
    """
    chosen = tl.sum((z.to(tl.float32) >= threshold).to(tl.int32), 1) > 0
    count = tl.sum(chosen.to(tl.int32))
    if count > 0:
        slots = tl.atomic_add(counter, count, sem="relaxed") + tl.cumsum(chosen.to(tl.int32)) - 1
        chosen = chosen & (slots < LISTED)
        tl.store(firsts + slots, vectors, mask=chosen)
        at = slots[:, None] * VECTOR + tl.arange(0, VECTOR)[None, :]
        tl.store(values + at, z, mask=chosen[:, None])

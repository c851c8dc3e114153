"""A row's candidates: the tokens that reach one value, so that they are the first of the row's order."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import LOWEST, key_of
from ..row.lists import LISTED, VECTOR
from ..row.mass import INFINITY
from ..row.threshold import nth_largest
from ..row.tiles import num_tiles, row_sum
from .peaks import GROUPS

BOUNDED = tl.constexpr(256)  # most groups whose peaks a threshold counts: about as many candidates, and some more
FEW = tl.constexpr(128)  # vectors that are looked at together


@triton.jit
def bound_candidates(logits, work, s, top_n):
    """Stores the value that candidates of row s must reach: k groups' peaks do, so top-k finds its k among them.

    Also empties the row's lists, and turns off a top-k that keeps all.
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


@triton.jit
def gather(firsts, vectors, n, threshold, keys):
    """Writes the keys of a row's candidates to `keys` [LISTED], in no order, and gives their number.

    They come out of the n first entries of a list: firsts [LISTED] int32, vectors [LISTED, VECTOR]. Those without a
    place are counted only.
    """
    count = 0
    for i in range(0, n, FEW):
        at = i + tl.arange(0, FEW)
        ids = tl.load(firsts + at, mask=at < n, other=0)[:, None] + tl.arange(0, VECTOR)[None, :]
        place = at[:, None] * VECTOR + tl.arange(0, VECTOR)[None, :]
        z = tl.load(vectors + place, mask=at[:, None] < n, other=-INFINITY).to(tl.float32)
        chosen = tl.reshape(z >= threshold, [FEW * VECTOR])
        places = count + tl.cumsum(chosen.to(tl.int32)) - 1
        tl.store(keys + places, tl.reshape(key_of(z, ids), [FEW * VECTOR]), mask=chosen & (places < LISTED))
        count += tl.sum(chosen.to(tl.int32))
    tl.debug_barrier()
    return count

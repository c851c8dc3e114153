"""Which tokens are candidates: a value that they must reach, out of the peaks of groups of tokens."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import LOWEST
from ..row.lists import LISTED
from ..row.mass import INFINITY
from ..row.threshold import nth_largest
from ..row.tiles import num_tiles, row_sum
from .peaks import GROUPS

BOUNDED = tl.constexpr(256)  # most groups whose peaks a threshold counts: about as many candidates, and some more


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

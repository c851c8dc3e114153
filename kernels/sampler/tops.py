"""The model's most likely tokens."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import ALL, id_of, key_of, sort, value_of
from ..row.lists import LISTED, VECTOR
from ..row.mass import INFINITY, natural_log
from ..row.tiles import WIDEST, ids_of, load_values, num_tiles, row_max
from . import limits
from .answers import model_total, model_view, status_of
from .candidates import gather
from .choose import LOG_LISTED

TOPS = tl.constexpr(limits.TOPS)


@triton.jit
def next_key(logits, s, bound):
    """The largest key of a row's finite logits below `bound`, or 0."""
    best = tl.full((), 0, tl.uint64)
    for tile in range(0, num_tiles(logits)):
        ids = ids_of(tile)
        x = load_values(logits, s, ids)
        keys = key_of(x, ids)
        best = tl.maximum(best, tl.max(tl.where((x > -INFINITY) & (keys < bound), keys, 0)))
    return best


@triton.jit(do_not_specialize=["top_n"])
def tops(logits, work, out, top_n):
    """Grid S. The top_n first of the tokens that `masses_of` listed; one by one over the row if too many were."""
    s = tl.program_id(0).to(tl.int64)
    tiles = num_tiles(logits)
    raw_peak = row_max(work.raw_peak, s, tiles, WIDEST)
    bad = status_of(raw_peak, row_max(work.tile_peak, s, tiles, WIDEST)) != 0
    n = tl.load(work.num_top + s)
    candidates = work.candidates + s * LISTED
    rank = tl.arange(0, TOPS)
    if n <= LISTED:
        threshold = tl.load(work.raw_threshold + s)
        n = gather(work.top_first + s * LISTED, work.top + s * LISTED * VECTOR, n, threshold, candidates)
    if n <= LISTED:
        at = tl.arange(0, LISTED)
        keys = sort(tl.load(candidates + at, mask=at < n, other=0), LOG_LISTED, True)
        # The first TOPS of them, by way of memory.
        tl.debug_barrier()
        tl.store(candidates + at, keys)
        tl.debug_barrier()
        keys = tl.load(candidates + rank)
    else:
        keys = tl.zeros([TOPS], tl.uint64)
        bound = tl.full((), ALL, tl.uint64)
        for i in range(0, top_n):
            bound = next_key(logits, s, bound)
            keys = tl.where(rank == i, bound, keys)
    x = tl.where(keys == 0, -INFINITY, value_of(keys))
    total, ratio = model_total(work, s, tiles, raw_peak)
    likely, log = model_view(x, raw_peak, total, natural_log(ratio))
    none = bad | (keys == 0)
    at = s * top_n + rank
    tl.store(out.top_tokens + at, tl.where(none, -1, id_of(keys)).to(tl.int64), mask=rank < top_n)
    tl.store(out.top_probabilities + at, tl.where(none, 0.0, likely), mask=rank < top_n)
    tl.store(out.top_logprobs + at, tl.where(none, -INFINITY, log), mask=rank < top_n)

"""A search's pool: its K best finished hypotheses."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import id_of, key_of, sort, value_of
from ..row.lists import LISTED
from ..row.mass import INFINITY
from .ends import ENDED, ENDS, OUT
from .scores import place_of, quotient


@triton.jit
def pool_field(field, lanes, old, kept, is_old, new):
    """A field of the pool, of hypotheses that were in it or come new."""
    return tl.where(is_old, tl.load(field + lanes + old, mask=is_old & kept, other=0), new)


@triton.jit
def enter_pool(searches, work, search, lanes, n, length, norm, LOG_SIZE: tl.constexpr):
    """Lets candidates that end, and rank among the first K, into the pool: behind what is as good there."""
    rank = tl.arange(0, 2**LOG_SIZE)
    beams = search.beams
    is_old = rank < beams
    new = search.first * LISTED + rank - beams
    comes = (rank >= beams) & (rank < 2 * beams) & (rank - beams < n)
    comes = comes & ((tl.load(work.end + new, mask=comes, other=0) & ENDS) != 0)
    score = quotient(value_of(tl.load(work.keys + new, mask=comes, other=0)), norm)
    score = tl.where(is_old, tl.load(searches.pool_score + lanes + rank, mask=is_old, other=0.0), score)
    order = sort(tl.where(is_old | comes, key_of(score, rank), 0), LOG_SIZE, True)
    kept = rank < beams
    chosen = tl.where(kept, id_of(order), 0)
    is_old = chosen < beams
    new = search.first * LISTED + chosen - beams
    is_new = kept & (is_old == 0)
    key = tl.load(work.keys + new, mask=is_new, other=0)
    lane, token = place_of(key)
    ended = tl.load(work.end + new, mask=is_new, other=0) & ENDED
    match_end = tl.load(work.match_end + new, mask=is_new, other=0)
    score = pool_field(searches.pool_score, lanes, chosen, kept, is_old, quotient(value_of(key), norm))
    length = pool_field(searches.pool_length, lanes, chosen, kept, is_old, length)
    lane = pool_field(searches.pool_parent, lanes, chosen, kept, is_old, lane)
    token = pool_field(searches.pool_token, lanes, chosen, kept, is_old, token)
    ended = pool_field(searches.pool_ended, lanes, chosen, kept, is_old, ended)
    match_end = pool_field(searches.pool_match_end, lanes, chosen, kept, is_old, match_end)
    tl.debug_barrier()
    tl.store(searches.pool_score + lanes + rank, score, mask=kept)
    tl.store(searches.pool_length + lanes + rank, length, mask=kept)
    tl.store(searches.pool_parent + lanes + rank, lane, mask=kept)
    tl.store(searches.pool_token + lanes + rank, token, mask=kept)
    tl.store(searches.pool_ended + lanes + rank, ended, mask=kept)
    tl.store(searches.pool_match_end + lanes + rank, match_end, mask=kept)
    tl.debug_barrier()


@triton.jit
def is_full(searches, lanes, beams, LOG_SIZE: tl.constexpr):
    """Whether the pool has K hypotheses."""
    rank = tl.arange(0, 2**LOG_SIZE)
    return tl.min(tl.load(searches.pool_length + lanes + rank, mask=rank < beams, other=1)) > 0


@triton.jit
def may_improve(searches, lanes, beams, bound, LOG_SIZE: tl.constexpr):
    """Whether a score of `bound` is better than the worst finished one, or there is a place for it."""
    rank = tl.arange(0, 2**LOG_SIZE)
    kept = rank < beams
    worst = tl.min(tl.load(searches.pool_score + lanes + rank, mask=kept, other=INFINITY))
    there = tl.load(searches.pool_length + lanes + rank, mask=kept, other=0) > 0
    return tl.max((kept & (bound > tl.where(there, worst, OUT))).to(tl.int32))

"""A search's candidates out of what its rows have listed, with a proof that no other token belongs to them."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import order_bits, sort, value_of
from ..row.lists import LISTED
from ..row.mass import INFINITY
from .advance import advance
from .scan import scan_rows
from .scores import NOTHING_ORDER, candidate_key, score_of


@triton.jit
def best_keys(listed, total, n, LOG_SIZE: tl.constexpr):
    """The n largest of `total` listed keys, in order, and 0 behind them. n is at most half of 2 ** LOG_SIZE."""
    rank = tl.arange(0, 2**LOG_SIZE)
    keys = tl.zeros([2**LOG_SIZE], tl.uint64)
    taken = 0
    while taken < total:
        at = taken + rank - n
        more = tl.load(listed + at, mask=(rank >= n) & (at < total), other=0)
        keys = sort(tl.where(rank < n, keys, more), LOG_SIZE, True)
        taken += 2**LOG_SIZE - n
    return tl.where(rank < n, keys, 0)


@triton.jit
def fill(logits, searches, work, slot, first, listed, total, n, LOG_SIZE: tl.constexpr):
    """Puts tokens without a score behind the `total` keys that are all that have one, by lane and id, up to n keys.

    Among the n first tokens of the search, as many as are missing have none.
    """
    rank = tl.arange(0, 2**LOG_SIZE)
    lane = rank // logits.size
    token = rank % logits.size
    wanted = rank < n
    x = tl.load(logits.data + (first + lane) * logits.stride + token, mask=wanted, other=-INFINITY)
    peak = tl.load(work.peak + first + lane, mask=wanted, other=0.0)
    log_total = tl.load(work.log_total + first + lane, mask=wanted, other=0.0)
    begin = tl.load(searches.lane + slot)
    total_score = tl.load(searches.score + begin + lane, mask=wanted, other=0.0)
    has_score = score_of(x.to(tl.float32), peak, log_total, total_score) > -INFINITY
    places = total + tl.cumsum((wanted & (has_score == 0)).to(tl.int32)) - 1
    keys = candidate_key(tl.full([2**LOG_SIZE], -INFINITY, tl.float32), lane, token)
    tl.store(listed + places, keys, mask=wanted & (has_score == 0) & (places < n))
    tl.debug_barrier()


@triton.jit
def choose_candidates(logits, searches, work, slot, first, beams, n, LOG_SIZE: tl.constexpr):
    """The n best candidates' keys [2 ** LOG_SIZE], best first.

    What no row has listed scores at most `unlisted`. Is that less than the last one listed that is wanted, no such
    token is among the best; else the rows are searched whole.
    """
    rank = tl.arange(0, 2**LOG_SIZE)
    listed = work.keys + first * LISTED
    total = tl.load(work.num_keys + first)
    unlisted = tl.max(tl.load(work.unlisted + first + rank, mask=rank < beams, other=-INFINITY))
    if total > beams * LISTED:
        total = 0
        unlisted = INFINITY
    keys = tl.zeros([2**LOG_SIZE], tl.uint64)
    certain = n < 0
    while certain == 0:
        keys = best_keys(listed, total, n, LOG_SIZE)
        last = tl.sum(tl.where(rank == n - 1, keys, 0))
        worst = tl.where(last != 0, value_of(last), -INFINITY)
        certain = (unlisted < worst) | (unlisted == -INFINITY)
        if certain == 0:
            tl.debug_barrier()
            least = tl.maximum(order_bits(worst), NOTHING_ORDER)
            scan_rows(logits, searches, work, slot, first, beams, listed, n, least, LOG_SIZE)
            total = n
            unlisted = -INFINITY
    if total < n:
        fill(logits, searches, work, slot, first, listed, total, n, LOG_SIZE)
        keys = tl.where(rank < total, keys, tl.load(listed + rank, mask=rank < n, other=0))
    return keys


@triton.jit
def step_search(logits, searches, work, slot, first, beams, num_eos, norms_stride, past_stride, LOG_SIZE: tl.constexpr):
    """Moves a search on, whose rows are all summed up; or only says what is wrong with them."""
    rank = tl.arange(0, 2**LOG_SIZE)
    peaks = tl.load(work.peak + first + rank, mask=rank < beams, other=0.0)
    nothing = tl.max((peaks == -INFINITY).to(tl.int32))
    status = tl.where(tl.max(peaks) == INFINITY, 2, nothing)
    if status == 0:
        n = tl.minimum(tl.load(searches.num_candidates + slot), beams * logits.size)
        keys = choose_candidates(logits, searches, work, slot, first, beams, n, LOG_SIZE)
        advance(searches, work, slot, first, beams, keys, n, num_eos, norms_stride, past_stride, LOG_SIZE)
    tl.store(searches.status + slot, status)

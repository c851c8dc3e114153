"""A search's candidates out of what its rows have listed, with a proof that no other token belongs to them."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import order_bits, sort, value_of
from ..row.lists import LISTED
from ..row.mass import INFINITY
from .advance import advance
from .scan import scan_rows
from .scores import NOTHING_ORDER, OneSearch, candidate_key, load_beams, score_of


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
def fill(logits, searches, work, search, listed, total, n, LOG_SIZE: tl.constexpr):
    """Lists tokens without a score, by lane and id, behind the `total` keys of all that have one, up to n keys.

    Among the n first tokens of the search, as many as are missing have none.
    """
    rank = tl.arange(0, 2**LOG_SIZE)
    lane = rank // logits.size
    token = rank % logits.size
    wanted = rank < n
    x = tl.load(logits.data + (search.first + lane) * logits.stride + token, mask=wanted, other=-INFINITY)
    beams = load_beams(searches, work, search, lane, wanted)
    has_score = score_of(x.to(tl.float32), beams) > -INFINITY
    places = total + tl.cumsum((wanted & (has_score == 0)).to(tl.int32)) - 1
    keys = candidate_key(tl.full([2**LOG_SIZE], -INFINITY, tl.float32), lane, token)
    tl.store(listed + places, keys, mask=wanted & (has_score == 0) & (places < n))
    tl.debug_barrier()


@triton.jit
def choose_candidates(logits, searches, work, search, n, LOG_SIZE: tl.constexpr):
    """The n best candidates' keys [2 ** LOG_SIZE], best first.

    What no row has listed scores at most `unlisted`. If that is less than what the last one wanted of those listed
    scores, no such token is among the best; else the rows are searched whole.
    """
    rank = tl.arange(0, 2**LOG_SIZE)
    listed = work.keys + search.first * LISTED
    total = tl.load(work.num_keys + search.first)
    unlisted = tl.max(tl.load(work.unlisted + search.first + rank, mask=rank < search.beams, other=-INFINITY))
    if total > search.beams * LISTED:
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
            scan_rows(logits, searches, work, search, listed, n, least, LOG_SIZE)
            total = n
            unlisted = -INFINITY
    if total < n:
        fill(logits, searches, work, search, listed, total, n, LOG_SIZE)
        keys = tl.where(rank < total, keys, tl.load(listed + rank, mask=rank < n, other=0))
    return keys


@triton.jit
def step_search(logits, searches, work, slot, first, beams, layout, LOG_SIZE: tl.constexpr):
    """Moves a search on, whose rows are all summed up; or only says what is wrong with them."""
    rank = tl.arange(0, 2**LOG_SIZE)
    peaks = tl.load(work.peak + first + rank, mask=rank < beams, other=0.0)
    nothing = tl.max((peaks == -INFINITY).to(tl.int32))
    status = tl.where(tl.max(peaks) == INFINITY, 2, nothing)
    if status == 0:
        n = tl.minimum(tl.load(searches.num_candidates + slot), beams * logits.size)
        search = OneSearch(slot, first, beams)
        keys = choose_candidates(logits, searches, work, search, n, LOG_SIZE)
        advance(searches, work, search, keys, n, layout, LOG_SIZE)
    tl.store(searches.status + slot, status)

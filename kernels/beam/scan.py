"""The exact way for searches whose lists do not hold all candidates: their rows are read whole, by one program.

Scores never rise as logits fall. So the tokens of a row that score s or more are those whose logit reaches a floor,
and a pass over the rows only compares.
"""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import order_bits
from ..row.tiles import load_values, without_nan
from .scores import candidate_key, score_floor, score_of

CHUNK = tl.constexpr(1024)


@triton.jit
def set_floors(searches, work, slot, first, beams, order, floors, LOG_SIZE: tl.constexpr):
    """Each row's floor for scores whose bits are `order` or more."""
    rank = tl.arange(0, 2**LOG_SIZE)
    there = rank < beams
    peak = tl.load(work.peak + first + rank, mask=there, other=0.0)
    log_total = tl.load(work.log_total + first + rank, mask=there, other=0.0)
    total_score = tl.load(searches.score + tl.load(searches.lane + slot) + rank, mask=there, other=0.0)
    floor = score_floor(tl.zeros_like(rank).to(tl.uint32) + order, peak, log_total, total_score)
    tl.debug_barrier()
    tl.store(floors + first + rank, floor, mask=there)
    tl.debug_barrier()


@triton.jit
def load_orders(logits, r, begin):
    """Ids, values and their bits of a chunk of row r; NaN is −inf, and bits behind the row's end are 0."""
    ids = begin + tl.arange(0, CHUNK)
    x = load_values(logits, r, ids)
    x = without_nan(x)
    return ids, x, tl.where(ids < logits.size, order_bits(x), 0)


@triton.jit
def count_reaching(logits, work, first, beams):
    """How many tokens of the search's rows reach the floors."""
    count = 0
    for i in range(0, beams):
        r = first + i
        floor = tl.load(work.floor + r)
        end = tl.where(floor <= order_bits(tl.load(work.peak + r)), logits.size, 0)
        for begin in range(0, end, CHUNK):
            _, _, orders = load_orders(logits, r, begin)
            count += tl.sum((orders >= floor).to(tl.int32))
    return count


@triton.jit
def list_reaching(logits, searches, work, slot, first, beams, listed, ties):
    """Lists what reaches work.high, and the first `ties` tokens that reach work.floor only, by lane and id."""
    count = 0
    tied = 0
    begin_lane = tl.load(searches.lane + slot)
    for lane in range(0, beams):
        r = first + lane
        floor = tl.load(work.floor + r)
        high = tl.load(work.high + r)
        peak = tl.load(work.peak + r)
        log_total = tl.load(work.log_total + r)
        total_score = tl.load(searches.score + begin_lane + lane)
        end = tl.where(floor <= order_bits(peak), logits.size, 0)
        for begin in range(0, end, CHUNK):
            ids, x, orders = load_orders(logits, r, begin)
            is_tie = (orders >= floor) & (orders < high)
            chosen = (orders >= high) | (is_tie & (tied + tl.cumsum(is_tie.to(tl.int32)) <= ties))
            tied += tl.sum(is_tie.to(tl.int32))
            places = count + tl.cumsum(chosen.to(tl.int32)) - 1
            score = score_of(x, peak, log_total, total_score)
            keys = candidate_key(score, tl.zeros_like(ids) + lane, ids)
            tl.store(listed + places, keys, mask=chosen)
            count += tl.sum(chosen.to(tl.int32))


@triton.jit
def scan_rows(logits, searches, work, slot, first, beams, listed, n, least, LOG_SIZE: tl.constexpr):
    """Lists the n best candidates, in any order. least: bits of a score that n of them have, or more.

    Halves the scores between that and the best one, until it is known which the n-th best has.
    """
    rank = tl.arange(0, 2**LOG_SIZE)
    there = rank < beams
    peak = tl.load(work.peak + first + rank, mask=there, other=0.0)
    log_total = tl.load(work.log_total + first + rank, mask=there, other=0.0)
    total_score = tl.load(searches.score + tl.load(searches.lane + slot) + rank, mask=there, other=0.0)
    best = tl.where(there, order_bits(score_of(peak, peak, log_total, total_score)), 0)
    high = tl.max(best) + 1
    above = 0  # candidates whose score's bits are `high` or more
    while high - least > 1:
        middle = least + (high - least) // 2
        set_floors(searches, work, slot, first, beams, middle, work.floor, LOG_SIZE)
        count = count_reaching(logits, work, first, beams)
        above = tl.where(count < n, count, above)
        high = tl.where(count < n, middle, high)
        least = tl.where(count < n, least, middle)
    set_floors(searches, work, slot, first, beams, least, work.floor, LOG_SIZE)
    set_floors(searches, work, slot, first, beams, high, work.high, LOG_SIZE)
    list_reaching(logits, searches, work, slot, first, beams, listed, n - above)
    tl.debug_barrier()

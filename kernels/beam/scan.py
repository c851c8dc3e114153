"""The exact way for searches whose lists do not hold all candidates: one program reads their rows whole.

Scores never rise as logits fall. So the tokens of a row that score s or more are those whose logit reaches a floor,
and a pass over the rows only compares.
"""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import order_bits
from ..row.tiles import load_values, without_nan
from .scores import Beam, candidate_key, load_beams, score_floor, score_of

CHUNK = tl.constexpr(1024)  # tokens that are looked at together


@triton.jit
def set_floors(searches, work, search, order, floors, LOG_SIZE: tl.constexpr):
    """Stores each row's floor for scores whose bits are `order` or more: floors [S] uint32."""
    rank = tl.arange(0, 2**LOG_SIZE)
    there = rank < search.beams
    beams = load_beams(searches, work, search, rank, there)
    floor = score_floor(tl.zeros_like(rank).to(tl.uint32) + order, beams)
    tl.debug_barrier()
    tl.store(floors + search.first + rank, floor, mask=there)
    tl.debug_barrier()


@triton.jit
def load_orders(logits, s, begin):
    """Ids [1024] from `begin`, their logits with NaN as −inf, and these as bits; 0 behind the row's end."""
    ids = begin + tl.arange(0, CHUNK)
    x = without_nan(load_values(logits, s, ids))
    return ids, x, tl.where(ids < logits.size, order_bits(x), 0)


@triton.jit
def count_reaching(logits, work, search):
    """How many tokens of the search's rows reach work.floor."""
    count = 0
    for lane in range(0, search.beams):
        s = search.first + lane
        floor = tl.load(work.floor + s)
        end = tl.where(floor <= order_bits(tl.load(work.peak + s)), logits.size, 0)
        for begin in range(0, end, CHUNK):
            _, _, orders = load_orders(logits, s, begin)
            count += tl.sum((orders >= floor).to(tl.int32))
    return count


@triton.jit
def list_reaching(logits, searches, work, search, listed, ties):
    """Lists the keys of what reaches work.high, and of the first `ties` tokens that only reach work.floor.

    The first by lane and id.
    """
    count = 0
    tied = 0
    lanes = tl.load(searches.lane + search.slot)
    for lane in range(0, search.beams):
        s = search.first + lane
        floor = tl.load(work.floor + s)
        high = tl.load(work.high + s)
        beam = Beam(tl.load(work.peak + s), tl.load(work.log_total + s), tl.load(searches.score + lanes + lane))
        end = tl.where(floor <= order_bits(beam.peak), logits.size, 0)
        for begin in range(0, end, CHUNK):
            ids, x, orders = load_orders(logits, s, begin)
            is_tie = (orders >= floor) & (orders < high)
            chosen = (orders >= high) | (is_tie & (tied + tl.cumsum(is_tie.to(tl.int32)) <= ties))
            tied += tl.sum(is_tie.to(tl.int32))
            places = count + tl.cumsum(chosen.to(tl.int32)) - 1
            keys = candidate_key(score_of(x, beam), tl.zeros_like(ids) + lane, ids)
            tl.store(listed + places, keys, mask=chosen)
            count += tl.sum(chosen.to(tl.int32))


@triton.jit
def scan_rows(logits, searches, work, search, listed, n, least, LOG_SIZE: tl.constexpr):
    """Lists the keys of the n best candidates, in any order. least: bits of a score that n of them have, or more.

    Halves the scores between that and the best one, until it is known which the n-th best has.
    """
    rank = tl.arange(0, 2**LOG_SIZE)
    there = rank < search.beams
    beams = load_beams(searches, work, search, rank, there)
    best = tl.where(there, order_bits(score_of(beams.peak, beams)), 0)
    high = tl.max(best) + 1
    above = 0  # candidates whose score's bits are `high` or more
    while high - least > 1:
        middle = least + (high - least) // 2
        set_floors(searches, work, search, middle, work.floor, LOG_SIZE)
        count = count_reaching(logits, work, search)
        above = tl.where(count < n, count, above)
        high = tl.where(count < n, middle, high)
        least = tl.where(count < n, least, middle)
    set_floors(searches, work, search, least, work.floor, LOG_SIZE)
    set_floors(searches, work, search, high, work.high, LOG_SIZE)
    list_reaching(logits, searches, work, search, listed, n - above)
    tl.debug_barrier()

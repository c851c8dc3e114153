"""From a search's candidates to its next beams, its finished hypotheses, and whether it is done."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import id_of, key_of, sort, value_of
from ..row.lists import LISTED
from ..row.mass import INFINITY
from .scores import place_of, quotient

OUT = tl.constexpr(-1e9)
NO_MATCH = tl.constexpr(-1)
ENDED = tl.constexpr(1)  # by an end of text or a stop sequence
ENDS = tl.constexpr(2)  # by these, or by its length


@triton.jit
def follow(searches, state, token, there):
    """The automaton's states behind tokens, and how many of their bytes lead to a stop sequence's end."""
    going = there & (state != 0)
    start = tl.load(searches.token_starts + token, mask=going, other=0)
    end = tl.load(searches.token_starts + token + 1, mask=going, other=0)
    match_end = tl.zeros_like(state) + NO_MATCH
    at = start
    going = going & (at < end)
    while tl.max(going.to(tl.int32)) != 0:
        byte = tl.load(searches.token_bytes + at, mask=going, other=0).to(tl.int32)
        state = tl.load(searches.stop_next + state * 256 + byte, mask=going, other=0).to(tl.int32) + tl.where(
            going, 0, state
        )
        at += 1
        is_end = going & (tl.load(searches.stop_ends + state, mask=going, other=0) != 0)
        match_end = tl.where(is_end, (at - start).to(tl.int32), match_end)
        going = going & (is_end == 0) & (state != 0) & (at < end)
    return state, match_end


@triton.jit
def note_ends(searches, work, slot, first, keys, n, num_eos, is_last, LOG_SIZE: tl.constexpr):
    """Leaves in work what becomes of each candidate, by rank. Gives whether all of them end."""
    rank = tl.arange(0, 2**LOG_SIZE)
    there = rank < n
    lane, token = place_of(keys)
    lanes = tl.load(searches.lane + slot)
    state = tl.load(searches.stop_state + lanes + lane, mask=there, other=0)
    state, match_end = follow(searches, state, token, there)
    ended = match_end != NO_MATCH
    for e in range(0, num_eos):
        ended = ended | (token == tl.load(searches.eos_ids + e))
    ends = ended | is_last
    at = first * LISTED + rank
    tl.store(work.keys + at, keys, mask=there)
    tl.store(work.end + at, tl.where(ended, ENDED, 0) | tl.where(ends, ENDS, 0), mask=there)
    tl.store(work.stop_state + at, state, mask=there)
    tl.store(work.match_end + at, match_end, mask=there)
    tl.debug_barrier()
    return tl.min((ends | (there == 0)).to(tl.int32)) != 0


@triton.jit
def pool_field(field, lanes, old, place, is_old, new):
    """A field of the pool, of hypotheses that were in it or come new."""
    return tl.where(is_old, tl.load(field + lanes + old, mask=is_old & place, other=0), new)


@triton.jit
def finish(searches, work, lanes, first, beams, n, length, norm, LOG_SIZE: tl.constexpr):
    """Lets candidates that end, and rank among the first K, into the pool: behind what is as good there."""
    rank = tl.arange(0, 2**LOG_SIZE)
    is_old = rank < beams
    new = first * LISTED + rank - beams
    comes = (rank >= beams) & (rank < 2 * beams) & (rank - beams < n)
    comes = comes & ((tl.load(work.end + new, mask=comes, other=0) & ENDS) != 0)
    score = quotient(value_of(tl.load(work.keys + new, mask=comes, other=0)), norm)
    score = tl.where(is_old, tl.load(searches.pool_score + lanes + rank, mask=is_old, other=0.0), score)
    order = sort(tl.where(is_old | comes, key_of(score, rank), 0), LOG_SIZE, True)
    place = rank < beams
    chosen = tl.where(place, id_of(order), 0)
    is_old = chosen < beams
    new = first * LISTED + chosen - beams
    is_new = place & (is_old == 0)
    key = tl.load(work.keys + new, mask=is_new, other=0)
    lane, token = place_of(key)
    ended = tl.load(work.end + new, mask=is_new, other=0) & ENDED
    match_end = tl.load(work.match_end + new, mask=is_new, other=0)
    score = pool_field(searches.pool_score, lanes, chosen, place, is_old, quotient(value_of(key), norm))
    length = pool_field(searches.pool_length, lanes, chosen, place, is_old, length)
    lane = pool_field(searches.pool_parent, lanes, chosen, place, is_old, lane)
    token = pool_field(searches.pool_token, lanes, chosen, place, is_old, token)
    ended = pool_field(searches.pool_ended, lanes, chosen, place, is_old, ended)
    match_end = pool_field(searches.pool_match_end, lanes, chosen, place, is_old, match_end)
    tl.debug_barrier()
    tl.store(searches.pool_score + lanes + rank, score, mask=place)
    tl.store(searches.pool_length + lanes + rank, length, mask=place)
    tl.store(searches.pool_parent + lanes + rank, lane, mask=place)
    tl.store(searches.pool_token + lanes + rank, token, mask=place)
    tl.store(searches.pool_ended + lanes + rank, ended, mask=place)
    tl.store(searches.pool_match_end + lanes + rank, match_end, mask=place)
    tl.debug_barrier()


@triton.jit
def keep_running(searches, work, lanes, first, beams, keys, n, past, past_stride, LOG_SIZE: tl.constexpr):
    """The beams of the next step, best running score first. Gives the best one's. past: where their step is noted."""
    rank = tl.arange(0, 2**LOG_SIZE)
    there = rank < n
    score = value_of(keys)
    ends = (tl.load(work.end + first * LISTED + rank, mask=there, other=0) & ENDS) != 0
    running = tl.where(ends, score + OUT, score)
    order = sort(tl.where(there, key_of(running, rank), 0), LOG_SIZE, True)
    place = rank < beams
    at = first * LISTED + tl.where(place, id_of(order), 0)
    lane, token = place_of(tl.load(work.keys + at))
    running = value_of(order)
    tl.store(searches.score + lanes + rank, running, mask=place)
    tl.store(searches.parent + lanes + rank, lane, mask=place)
    tl.store(searches.token + lanes + rank, token, mask=place)
    tl.store(searches.stop_state + lanes + rank, tl.load(work.stop_state + at), mask=place)
    tl.store(searches.past_parent + past + (lanes + rank) * past_stride, lane, mask=place)
    tl.store(searches.past_token + past + (lanes + rank) * past_stride, token, mask=place)
    return tl.sum(tl.where(rank == 0, running, 0.0))


@triton.jit
def is_full(searches, lanes, beams, LOG_SIZE: tl.constexpr):
    """Whether the pool has K hypotheses."""
    rank = tl.arange(0, 2**LOG_SIZE)
    return tl.min(tl.load(searches.pool_length + lanes + rank, mask=rank < beams, other=1)) > 0


@triton.jit
def may_improve(searches, lanes, beams, bound, LOG_SIZE: tl.constexpr):
    """Whether a score of `bound` is better than the worst finished one, or there is a place for it."""
    rank = tl.arange(0, 2**LOG_SIZE)
    place = rank < beams
    worst = tl.min(tl.load(searches.pool_score + lanes + rank, mask=place, other=INFINITY))
    there = tl.load(searches.pool_length + lanes + rank, mask=place, other=0) > 0
    return tl.max((place & (bound > tl.where(there, worst, OUT))).to(tl.int32))


@triton.jit
def advance(searches, work, slot, first, beams, keys, n, num_eos, norms_stride, past_stride, LOG_SIZE: tl.constexpr):
    """Steps 3 to 6 of docs/kernels.md. keys: the search's n best candidates."""
    lanes = tl.load(searches.lane + slot)
    norms = searches.norms + slot * norms_stride
    length = tl.load(searches.length + slot) + 1
    stops_full = tl.load(searches.stop_when_full + slot) != 0
    improves = tl.load(searches.may_improve + slot)
    is_last = length >= tl.load(searches.max_length + slot)
    all_end = note_ends(searches, work, slot, first, keys, n, num_eos, is_last, LOG_SIZE)
    if (improves != 0) & ((is_full(searches, lanes, beams, LOG_SIZE) & stops_full) == 0):
        finish(searches, work, lanes, first, beams, n, length, tl.load(norms + length), LOG_SIZE)
    best = keep_running(searches, work, lanes, first, beams, keys, n, length - 1, past_stride, LOG_SIZE)
    bound = tl.load(searches.bound_length + slot)
    bound = quotient(best, tl.load(norms + tl.where(bound != 0, bound, length)))
    improves = tl.where(improves != 0, may_improve(searches, lanes, beams, bound, LOG_SIZE), 0)
    is_done = (improves == 0) | (is_full(searches, lanes, beams, LOG_SIZE) & stops_full) | all_end
    tl.debug_barrier()
    tl.store(searches.length + slot, length)
    tl.store(searches.may_improve + slot, improves)
    tl.store(searches.done + slot, is_done.to(tl.int32))

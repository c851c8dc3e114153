"""From a search's candidates to its next beams, its finished hypotheses, and whether it is done."""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from ..row.keys import id_of, key_of, sort, value_of
from ..row.lists import LISTED
from .ends import ENDS, OUT, note_ends
from .pool import enter_pool, is_full, may_improve
from .scores import place_of, quotient


class Layout(NamedTuple):
    """How long the searches' tensors are, where that is none of a search's own fields."""

    num_eos: Any  # of eos_ids
    norms_stride: Any  # from search to search
    past_stride: Any  # from lane to lane


@triton.jit
def keep_running(searches, work, search, lanes, keys, n, step, past_stride, LOG_SIZE: tl.constexpr):
    """Stores the beams of the next step, best running score first. Gives the best one's. step: counts from 0."""
    rank = tl.arange(0, 2**LOG_SIZE)
    there = rank < n
    score = value_of(keys)
    ends = (tl.load(work.end + search.first * LISTED + rank, mask=there, other=0) & ENDS) != 0
    running = tl.where(ends, score + OUT, score)
    order = sort(tl.where(there, key_of(running, rank), 0), LOG_SIZE, True)
    kept = rank < search.beams
    at = search.first * LISTED + tl.where(kept, id_of(order), 0)
    lane, token = place_of(tl.load(work.keys + at))
    running = value_of(order)
    to = lanes + rank
    tl.store(searches.score + to, running, mask=kept)
    tl.store(searches.parent + to, lane, mask=kept)
    tl.store(searches.token + to, token, mask=kept)
    tl.store(searches.stop_state + to, tl.load(work.stop_state + at), mask=kept)
    tl.store(searches.past_parent + step + to * past_stride, lane, mask=kept)
    tl.store(searches.past_token + step + to * past_stride, token, mask=kept)
    return tl.sum(tl.where(rank == 0, running, 0.0))


@triton.jit
def advance(searches, work, search, keys, n, layout, LOG_SIZE: tl.constexpr):
    """Steps 3 to 6 of docs/kernels.md. keys [2 ** LOG_SIZE]: the search's n best candidates, best first."""
    slot, beams = search.slot, search.beams
    lanes = tl.load(searches.lane + slot)
    norms = searches.norms + slot * layout.norms_stride
    length = tl.load(searches.length + slot) + 1
    stops_full = tl.load(searches.stop_when_full + slot) != 0
    improves = tl.load(searches.may_improve + slot)
    is_last = length >= tl.load(searches.max_length + slot)
    all_end = note_ends(searches, work, search, lanes, keys, n, layout.num_eos, is_last, LOG_SIZE)
    if (improves != 0) & ((is_full(searches, lanes, beams, LOG_SIZE) & stops_full) == 0):
        enter_pool(searches, work, search, lanes, n, length, tl.load(norms + length), LOG_SIZE)
    best = keep_running(searches, work, search, lanes, keys, n, length - 1, layout.past_stride, LOG_SIZE)
    bound = tl.load(searches.bound_length + slot)
    bound = quotient(best, tl.load(norms + tl.where(bound != 0, bound, length)))
    improves = tl.where(improves != 0, may_improve(searches, lanes, beams, bound, LOG_SIZE), 0)
    is_done = (improves == 0) | (is_full(searches, lanes, beams, LOG_SIZE) & stops_full) | all_end
    tl.debug_barrier()
    tl.store(searches.length + slot, length)
    tl.store(searches.may_improve + slot, improves)
    tl.store(searches.done + slot, is_done.to(tl.int32))

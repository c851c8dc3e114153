"""Which candidates end: by an end of text, a stop sequence, or their length."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.lists import LISTED
from .scores import place_of

OUT = tl.constexpr(-1e9)  # score of a beam or a hypothesis that is none
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
def note_ends(searches, work, search, lanes, keys, n, num_eos, is_last, LOG_SIZE: tl.constexpr):
    """Leaves in work what becomes of each of the n candidates, by rank. Gives whether all of them end."""
    rank = tl.arange(0, 2**LOG_SIZE)
    there = rank < n
    lane, token = place_of(keys)
    state = tl.load(searches.stop_state + lanes + lane, mask=there, other=0)
    state, match_end = follow(searches, state, token, there)
    ended = match_end != NO_MATCH
    for e in range(0, num_eos):
        ended = ended | (token == tl.load(searches.eos_ids + e))
    ends = ended | is_last
    at = search.first * LISTED + rank
    tl.store(work.keys + at, keys, mask=there)
    tl.store(work.end + at, tl.where(ended, ENDED, 0) | tl.where(ends, ENDS, 0), mask=there)
    tl.store(work.stop_state + at, state, mask=there)
    tl.store(work.match_end + at, match_end, mask=there)
    tl.debug_barrier()
    return tl.min((ends | (there == 0)).to(tl.int32)) != 0

"""The beam step's first kernel: each row's peak, and the value that its candidates must reach."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import LOWEST
from ..row.threshold import nth_largest
from ..row.tiles import SEGMENT, SEGMENTS, load_values, num_tiles, row_and_tile, row_max, without_nan

SLOTS = tl.constexpr(32)  # searches that are looked at together
PEAKS = tl.constexpr(512)  # and peaks


@triton.jit
def search_of(searches, s, num_slots):
    """The slot of the live search that has row s, and its first row. Slot −1: no search has it, or that one is over."""
    live = tl.load(searches.num_live)
    slot = -1
    first = 0
    for i in range(0, num_slots, SLOTS):
        at = i + tl.arange(0, SLOTS)
        slots = tl.load(searches.live + at, mask=at < num_slots, other=0)
        firsts = tl.load(searches.first_row + at, mask=at < num_slots, other=0)
        beams = tl.load(searches.num_beams + slots)
        over = (tl.load(searches.done + slots) != 0) | (tl.load(searches.status + slots) != 0)
        has = (at < live) & (over == 0) & (firsts <= s) & (s < firsts + beams)
        slot = tl.maximum(slot, tl.max(tl.where(has, slots, -1)))
        first += tl.sum(tl.where(has, firsts, 0))
    return slot, first


@triton.jit
def bound_row(searches, work, s, slot, first, groups):
    """Stores the row's peak and threshold: at least as many tokens reach it as candidates are wanted of the search.

    The threshold lies so far below the last of these that a token which does not reach it scores less, too: by more
    than a score is rounded. Rarely it does not, and `choose_candidates` finds out.
    """
    peak = row_max(work.group_peak, s, groups, PEAKS)
    found = nth_largest(work.group_peak + s * groups, groups, tl.load(searches.num_candidates + slot))
    score = tl.load(searches.score + tl.load(searches.lane + slot) + (s - first))
    margin = (tl.abs(found) + 1.0) * 2.0**-12 + tl.minimum(tl.abs(score), 8192.0) * 2.0**-21
    tl.store(work.slot + s, slot)
    tl.store(work.first_row + s, first)
    tl.store(work.peak + s, peak)
    tl.store(work.threshold + s, tl.where(found > LOWEST, tl.maximum(found - margin, LOWEST), LOWEST))
    tl.store(work.num_listed + s, 0)
    tl.store(work.blocks_done + s, 0)
    tl.store(work.rows_done + s, 0)
    tl.store(work.num_keys + s, 0)
    tl.store(work.tiles_done + s, 0)


@triton.jit(do_not_specialize=["num_slots"])
def beam_bounds(logits, searches, work, num_slots, GROUPS: tl.constexpr):
    """Grid S · T. Tiles as in `peaks_of`, groups as there or finer. A row's last program goes on to `bound_row`."""
    s, tile = row_and_tile(logits)
    tiles = num_tiles(logits)
    slot, first = search_of(searches, s, num_slots)
    if slot >= 0:
        segments = tile + tl.arange(0, SEGMENTS) * tiles
        ids = segments[:, None] * SEGMENT + tl.arange(0, SEGMENT)[None, :]
        x = without_nan(load_values(logits, s, ids))
        peaks = tl.max(tl.reshape(x, [SEGMENT * SEGMENTS // GROUPS, GROUPS]), 0)
        tl.store(work.group_peak + (s * tiles + tile) * GROUPS + tl.arange(0, GROUPS), peaks)
        # What the others have written is there for the last one: barrier, then release and acquire.
        tl.debug_barrier()
        if tl.atomic_add(work.tiles_done + s, 1, sem="acq_rel") == tiles - 1:
            bound_row(searches, work, s, slot, first, tiles * GROUPS)
    else:
        tl.store(work.slot + s, -1)

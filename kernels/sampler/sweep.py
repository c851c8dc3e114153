"""The kernel that goes over all logits: the peaks of some rows and the masses of those before them, side by side."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.tiles import FEW_TILES, num_tiles, row_max
from .candidates import bound_candidates
from .masses import masses_of
from .measure import Measure
from .peaks import peaks_of
from .settings import Integers, convert
from .values import Values

INTEGERS = ["given", "top_k", "top_p_bits", "stream", "top_n", "first", "ahead", "behind", "each"]


@triton.jit(do_not_specialize=INTEGERS)
def sweep(
    logits,
    settings,
    changes,
    work,
    given,
    top_k,
    top_p_bits,
    stream,
    top_n,
    first,
    ahead,
    behind,
    each,
    PLAIN: tl.constexpr,
    LISTS: tl.constexpr,
):
    """Grid ⌈T / each⌉ by ahead + behind. Peaks of the `ahead` rows from `first` on, masses of the `behind` rows before.

    The two take turns, row by row: peaks wait for memory, while masses, whose logits are in the cache, are arithmetic.
    With LISTS, the last program of a row ahead goes on to `bound_candidates`.
    """
    values = Values(logits, changes, given)
    tile = tl.program_id(0) * each
    end = tl.minimum(tile + each, num_tiles(logits))
    turn = tl.program_id(1)
    both = tl.minimum(ahead, behind)
    place = tl.where(turn < 2 * both, turn // 2, turn - both)
    if tl.where(turn < 2 * both, turn % 2 == 0, ahead > behind):
        s = (first + place).to(tl.int64)
        if tile == 0:
            convert(settings, Integers(top_k, top_p_bits, stream), work, given, s)
        for i in range(tile, end):
            peaks_of(values, settings, work, s, i, PLAIN, LISTS)
        if LISTS:
            # What the others have written is there for the last one: barrier, then release and acquire.
            tl.debug_barrier()
            done = tl.atomic_add(work.tiles_done + s, end - tile, sem="acq_rel") + end - tile
            if done == num_tiles(logits):
                bound_candidates(logits, work, s, top_n)
    else:
        s = (first - behind + place).to(tl.int64)
        peak = row_max(work.tile_peak, s, num_tiles(logits), FEW_TILES)
        raw_peak = peak
        if not PLAIN:
            raw_peak = row_max(work.raw_peak, s, num_tiles(logits), FEW_TILES)
        measure = Measure(peak, tl.load(work.scale + s))
        for i in range(tile, end):
            masses_of(values, work, s, i, measure, raw_peak, PLAIN, LISTS)

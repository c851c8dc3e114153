"""The launches of the sampler's kernels: which ones a call needs, in which order."""

from __future__ import annotations

from dataclasses import dataclass

from .answers import Outputs
from .choose import choose
from .finish import finish
from .masses import bounds
from .peaks import Settings
from .sizes import group_size, num_tiles, room_inside, tiles_each
from .split import split
from .sweep import sweep
from .tiles import Changes, Logits
from .tops import tops
from .workspace import Work


@dataclass(frozen=True, slots=True)
class Launch:
    """A call in the kernels' terms. given: the flags of tiles.py. top_p_bits: of the uint32, as int32."""

    logits: Logits
    settings: Settings
    changes: Changes
    seeds: object
    positions: object
    given: int
    top_k: int
    top_p_bits: int
    stream: int
    plain: bool
    truncates: bool
    top_n: int


# Rounding is part of the sampler's contract: nothing may be fused.
EXACT = {"enable_fp_fusion": False}
# Left alone, the compiler spills some registers so as to have room for more programs.
FINISH_REGISTERS = 240


def run(call: Launch, work: Work, out: Outputs) -> None:
    """Launches the kernels of a call on the current stream, and waits for none. S is at least 1."""
    rows, V = call.logits.data.shape
    lists = call.truncates or call.top_n > 0
    dtype = call.logits.data.dtype
    work = work._replace(top=work.top.view(dtype))
    if call.plain:
        work = work._replace(raw_peak=work.tile_peak, raw_group_peak=work.group_peak, listed=work.listed.view(dtype))
    sweep_rows(call, work, lists)
    logits, changes, given, plain = call.logits, call.changes, call.given, call.plain
    draw = (logits, call.seeds, call.positions, changes, work, out, given, room_inside(V))
    choose[(rows,)](*draw, PLAIN=plain, TRUNCATES=call.truncates, num_warps=4, **EXACT)
    if call.truncates:
        split[(rows * num_tiles(V),)](logits, changes, work, given, room_inside(V), PLAIN=plain, num_warps=2, **EXACT)
        finish[(rows,)](*draw, PLAIN=plain, num_warps=8, maxnreg=FINISH_REGISTERS, **EXACT)
    if call.top_n:
        tops[(rows,)](logits, changes, work, out, given, call.top_n, PLAIN=plain, num_warps=4, **EXACT)


def sweep_rows(call: Launch, work: Work, lists: bool) -> None:
    """Peaks, thresholds and masses of all rows, by groups of rows of which two fit into the cache.

    So a row is read from device memory once. In a group's turn the masses of the group before are worked out.
    """
    logits, plain = call.logits, call.plain
    rows, V = logits.data.shape
    numbers = (call.given, call.top_k, call.top_p_bits, call.stream)
    # One warp has a tile in its registers; with mask or edits, or keys, it would hold too much.
    warps = 1 if plain else 2
    each = tiles_each(rows * num_tiles(V))
    size, behind = group_size(rows, V * logits.data.element_size()), 0
    for first in range(0, rows + size, size):
        ahead = max(0, min(size, rows - first))
        turn = (min(first, rows), ahead, behind, each)
        sweep[(-(-num_tiles(V) // each), ahead + behind)](
            logits, call.settings, call.changes, work, *numbers, *turn,
            PLAIN=plain, LISTS=lists, num_warps=warps, **EXACT,
        )  # fmt: skip
        if lists and ahead:
            bounds[(ahead,)](logits, work, first, call.top_n, num_warps=1, **EXACT)
        behind = ahead

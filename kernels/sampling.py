"""The launches of the sampler's kernels: which ones a call needs, in which order."""

from __future__ import annotations

from dataclasses import dataclass

from .answers import Outputs
from .choose import choose
from .finish import finish
from .masses import bounds, masses
from .peaks import Settings, peaks
from .sizes import num_tiles, room_inside
from .split import split
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
# Left alone, the compiler spills some registers of these so as to have room for more programs.
MASSES_REGISTERS, FINISH_REGISTERS = 104, 240


def run(call: Launch, work: Work, out: Outputs) -> None:
    """Launches the kernels of a call on the current stream, and waits for none. S is at least 1."""
    rows, V = call.logits.data.shape
    tiles = rows * num_tiles(V)
    lists = call.truncates or call.top_n > 0
    dtype = call.logits.data.dtype
    work = work._replace(top=work.top.view(dtype))
    if call.plain:
        work = work._replace(raw_peak=work.tile_peak, raw_group_peak=work.group_peak, listed=work.listed.view(dtype))
    # One warp has a tile in its registers; with mask or edits, or keys, it would hold too much.
    wide = 1 if call.plain else 2
    logits, changes, given, plain = call.logits, call.changes, call.given, call.plain
    numbers = (given, call.top_k, call.top_p_bits, call.stream)
    peaks[(tiles,)](logits, call.settings, changes, work, *numbers, PLAIN=plain, num_warps=wide, **EXACT)
    if lists:
        bounds[(rows,)](logits, work, call.top_n, num_warps=1, **EXACT)
    most = MASSES_REGISTERS if lists else None
    masses[(tiles,)](logits, changes, work, given, PLAIN=plain, LISTS=lists, num_warps=wide, maxnreg=most, **EXACT)
    draw = (logits, call.seeds, call.positions, changes, work, out, given, room_inside(V))
    choose[(rows,)](*draw, PLAIN=plain, TRUNCATES=call.truncates, num_warps=4, **EXACT)
    if call.truncates:
        split[(tiles,)](logits, changes, work, given, room_inside(V), PLAIN=plain, num_warps=2, **EXACT)
        finish[(rows,)](*draw, PLAIN=plain, num_warps=8, maxnreg=FINISH_REGISTERS, **EXACT)
    if call.top_n:
        tops[(rows,)](logits, changes, work, out, given, call.top_n, PLAIN=plain, num_warps=4, **EXACT)

"""The launches of the sampler's kernels: which ones a call needs, in which order."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from dataclasses import dataclass

from ..row.launcher import Launcher, name_callees_first
from ..row.sizes import num_tiles
from ..row.tiles import Logits
from .answers import Outputs
from .choose import choose
from .finish import finish
from .groups import group_size, tiles_each
from .limits import room_inside
from .peaks import Settings
from .split import split
from .sweep import sweep
from .tops import tops
from .values import Changes
from .workspace import Work

name_callees_first(sweep, choose, split, finish, tops)


@dataclass(frozen=True, slots=True)
class Launch:
    """A call in the kernels' terms. given: the flags of tiles.py. top_p_bits: of the uint32, as int32.

    kind: as `Launcher.launch` has it.
    """

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
    kind: Hashable


# Left alone, the compiler spills some registers so as to have room for more programs.
SWEEP_REGISTERS, CHOOSE_REGISTERS, FINISH_REGISTERS = 160, 168, 240


def run(call: Launch, work: Work, out: Outputs, launcher: Launcher) -> None:
    """Launches the kernels of a call on the current stream, and waits for none. S is at least 1."""
    rows, V = call.logits.data.shape
    dtype = call.logits.data.dtype
    views = {"top": work.top.view(dtype)}
    if call.plain:  # what is processed is what came
        views |= {"raw_peak": work.tile_peak, "raw_group_peak": work.group_peak, "raw_mass": work.tile_mass}
        views["listed"] = work.listed.view(dtype)
    work = work._replace(**views)
    sweep_rows(call, work, launcher)
    launch = functools.partial(launcher.launch, kind=call.kind)
    values = {"logits": call.logits, "changes": call.changes, "given": call.given}
    row = values | {"work": work, "room": room_inside(V)}
    draw = row | {"seeds": call.seeds, "positions": call.positions, "out": out}
    plain = {"PLAIN": call.plain}
    launch(choose, (rows,), draw, plain | {"TRUNCATES": call.truncates}, num_warps=4, maxnreg=CHOOSE_REGISTERS)
    if call.truncates:
        launch(split, (rows * num_tiles(V),), row, plain, num_warps=2)
        launch(finish, (rows,), draw, plain, num_warps=8, maxnreg=FINISH_REGISTERS)
    if call.top_n:
        likely = {"logits": call.logits, "work": work, "out": out, "top_n": call.top_n}
        launch(tops, (rows,), likely, {}, num_warps=4)


def sweep_rows(call: Launch, work: Work, launcher: Launcher) -> None:
    """Peaks, thresholds and masses of all rows, by groups of rows of which two fit into the cache.

    So a row is read from device memory once. In a group's turn the masses of the group before are worked out.
    """
    logits, lists = call.logits, call.truncates or call.top_n > 0
    rows, V = logits.data.shape
    arguments = {
        "logits": logits,
        "settings": call.settings,
        "changes": call.changes,
        "work": work,
        "given": call.given,
        "top_k": call.top_k,
        "top_p_bits": call.top_p_bits,
        "stream": call.stream,
        "top_n": call.top_n,
    }
    constants = {"PLAIN": call.plain, "LISTS": lists}
    # One warp has a tile in its registers; with mask or edits it would hold too much.
    options = {"num_warps": 1} if call.plain else {"num_warps": 2, "maxnreg": SWEEP_REGISTERS}
    size, behind = group_size(rows, V * logits.data.element_size()), 0
    each = tiles_each(min(rows, 2 * size) * num_tiles(V))
    for first in range(0, rows + size, size):
        ahead = max(0, min(size, rows - first))
        grid = (-(-num_tiles(V) // each), ahead + behind)
        turn = {"first": min(first, rows), "ahead": ahead, "behind": behind, "each": each}
        launcher.launch(sweep, grid, arguments | turn, constants, kind=call.kind, **options)
        behind = ahead

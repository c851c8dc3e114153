"""The launches of the sampler's kernels: which ones a call needs, in which order."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from ..row.launcher import Launcher, name_callees_first
from ..row.sizes import num_tiles
from ..row.tiles import Logits
from .answers import Outputs
from .choose import choose
from .draw import Draws
from .finish import finish
from .groups import group_size, tiles_each
from .limits import room_inside
from .settings import Integers, Settings
from .split import split
from .sweep import sweep
from .tops import tops
from .values import Changes
from .workspace import Work

name_callees_first(sweep, choose, split, finish, tops)


@dataclass(frozen=True, slots=True)
class Launch:
    """A call in the kernels' terms."""

    logits: Logits
    changes: Changes
    given: int  # the flags of given.py
    settings: Settings
    integers: Integers
    draws: Draws
    top_n: int
    plain: bool  # neither mask nor edits
    truncates: bool
    kind: Hashable  # as `Launcher.launch` has it


# Left alone, the compiler spills some registers so as to have room for more programs.
SWEEP_REGISTERS, CHOOSE_REGISTERS, FINISH_REGISTERS = 160, 168, 240


def run(call: Launch, work: Work, out: Outputs, launcher: Launcher) -> None:
    """Launches the kernels of a call on the current stream, and waits for none. S is at least 1."""
    S, V = call.logits.data.shape
    arguments = {
        "logits": call.logits,
        "settings": call.settings,
        "draws": call.draws,
        "changes": call.changes,
        "work": _views(call, work),
        "out": out,
        "given": call.given,
        "top_k": call.integers.top_k,
        "top_p_bits": call.integers.top_p_bits,
        "stream": call.integers.stream,
        "top_n": call.top_n,
        "room": room_inside(V),
    }
    sweep_rows(call, arguments, launcher)
    launch, kind, plain = launcher.launch, call.kind, {"PLAIN": call.plain}
    cuts = {"PLAIN": call.plain, "TRUNCATES": call.truncates}
    launch(choose, (S,), arguments, cuts, kind, num_warps=4, maxnreg=CHOOSE_REGISTERS)
    if call.truncates:
        launch(split, (S * num_tiles(V),), arguments, plain, kind, num_warps=2)
        launch(finish, (S,), arguments, plain, kind, num_warps=8, maxnreg=FINISH_REGISTERS)
    if call.top_n:
        launch(tops, (S,), arguments, {}, kind, num_warps=4)


def _views(call: Launch, work: Work) -> Work:
    """The buffers with lists in the logits' dtype; where values are the logits, with one buffer for both."""
    dtype = call.logits.data.dtype
    views = {"top": work.top.view(dtype)}
    if call.plain:
        views |= {"raw_peak": work.tile_peak, "raw_group_peak": work.group_peak, "raw_mass": work.tile_mass}
        views["listed"] = work.listed.view(dtype)
    return work._replace(**views)


def sweep_rows(call: Launch, arguments: dict[str, Any], launcher: Launcher) -> None:
    """Peaks, thresholds and masses of all rows, by groups of rows of which two fit into the cache.

    So a row is read from device memory once. In a group's turn the masses of the group before are worked out.
    """
    S, V = call.logits.data.shape
    constants = {"PLAIN": call.plain, "LISTS": call.truncates or call.top_n > 0}
    # One warp has a tile in its registers; with mask or edits it would hold too much.
    options = {"num_warps": 1} if call.plain else {"num_warps": 2, "maxnreg": SWEEP_REGISTERS}
    size, behind = group_size(S, V * call.logits.data.element_size()), 0
    each = tiles_each(min(S, 2 * size) * num_tiles(V))
    for first in range(0, S + size, size):
        ahead = max(0, min(size, S - first))
        grid = (-(-num_tiles(V) // each), ahead + behind)
        arguments.update(first=min(first, S), ahead=ahead, behind=behind, each=each)
        launcher.launch(sweep, grid, arguments, constants, call.kind, **options)
        behind = ahead

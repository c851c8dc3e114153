"""Buffers of a call: what the kernels leave for each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from genlib.ops.cpu import CpuOps

from ..row.launcher import Launcher
from ..row.sizes import GROUPS, LISTED, VECTOR, num_tiles
from ..row.threads import new_threads
from .limits import SORTABLE, room_inside

Empty = Callable[..., torch.Tensor]  # (dtype, *shape)


class Work(NamedTuple):
    """T tiles in a row: as `peaks_of` has them up to raw_group_peak, of consecutive ids from tile_mass on.

    raw: of the logits as they came; the rest is of the values that are drawn from.
    """

    tiles_done: torch.Tensor  # [S] int32: tiles whose peaks are known, in a call with lists; 0 between calls
    tile_peak: torch.Tensor  # [S, T] float32: largest value
    tile_first: torch.Tensor  # [S, T] int32: first token that has it; of a greedy row
    tile_finite: torch.Tensor  # [S, T] int32: tokens with a finite value
    raw_peak: torch.Tensor  # [S, T] float32
    raw_sum: torch.Tensor  # [S, T] float32: of exp(x − raw_peak), about; not at temperature 1
    group_peak: torch.Tensor  # [S, T · 16] float32: largest value of groups of 64
    raw_group_peak: torch.Tensor  # [S, T · 16] float32
    scale: torch.Tensor  # [S] float32; this and the next four are parameters as RowParams has them
    top_k: torch.Tensor  # [S] int32
    top_p: torch.Tensor  # [S] int64
    min_p: torch.Tensor  # [S] float32
    stream: torch.Tensor  # [S] int64
    threshold: torch.Tensor  # [S] float32: what reaches it is a candidate
    raw_threshold: torch.Tensor  # [S] float32: and of the most likely tokens
    num_listed: torch.Tensor  # [S] int32: vectors with a candidate, also those that found no place on the list
    listed_first: torch.Tensor  # [S, LISTED] int32: their first ids, in any order
    listed: torch.Tensor  # [S, LISTED, VECTOR]: their values, in the logits' dtype if they are just the logits
    num_top: torch.Tensor  # [S] int32: this and the next two are the same of the most likely tokens
    top_first: torch.Tensor  # [S, LISTED] int32
    top: torch.Tensor  # [S, LISTED, VECTOR] in the logits' dtype
    candidates: torch.Tensor  # [S, LISTED] uint64 keys
    tile_mass: torch.Tensor  # [S, T] uint64
    raw_mass: torch.Tensor  # [S, T] uint64, at temperature 1
    slow: torch.Tensor  # [S] int32: 1 if the candidates do not hold the boundary
    low: torch.Tensor  # [S] uint64: the boundary should lie between this key and the next
    high: torch.Tensor  # [S] uint64
    floor: torch.Tensor  # [S] uint64: the lowest key that min-p keeps
    from_mass: torch.Tensor  # [S, T] uint64: of keys from `low` on
    from_count: torch.Tensor  # [S, T] int32: their number
    inside_mass: torch.Tensor  # [S, T] uint64: of keys from `low` to `high`; of a row that was split again
    inside_first: torch.Tensor  # [S, T] int32: where the tile's are on the list
    inside_count: torch.Tensor  # [S, T] int32: and how many
    num_inside: torch.Tensor  # [S] int32: how many the row has, also those that found no place
    inside: torch.Tensor  # [S, room_inside(V) + 2 · SORTABLE] uint64 keys from `low` to `high`, in any order


@dataclass(frozen=True, slots=True)
class Workspace:
    """The kernels' buffers for calls on up to S rows of V tokens. One call at a time uses them.

    Calls on one stream may share a workspace, which saves allocations; so may captured graphs that are replayed on one
    stream. On a GPU it also keeps the compiled kernels that it has launched, which makes launches cheaper; on the CPU
    it keeps threads and their scratch, `host`.
    """

    size: tuple[int, int]  # most S, V
    device: torch.device
    truncates: bool
    work: Work
    launcher: Launcher
    host: CpuOps | None

    def fits(self, rows: int, vocabulary: int, device: torch.device, truncates: bool) -> bool:
        """Whether a call can use them."""
        most, V = self.size
        return rows <= most and vocabulary == V and device == self.device and self.truncates >= truncates


def new_workspace(rows: int, vocabulary: int, device: torch.device | str, truncates: bool = True) -> Workspace:
    """Buffers for up to S rows: 41 KB and V / 6 bytes for each, with `truncates` 25 KB or 1.2 · V bytes more.

    truncates: top-k, top-p or min-p may be on. On a GPU they are for the stream that makes them, or for one that waits
    for it.
    """
    place = torch.device(device)

    def empty(dtype: torch.dtype, *shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device=place)

    T, room = num_tiles(vocabulary), room_inside(vocabulary) + 2 * SORTABLE
    work = Work(
        tiles_done=torch.zeros(rows, dtype=torch.int32, device=place),
        **_row_buffers(empty, rows),
        **_list_buffers(empty, rows),
        **_tile_buffers(empty, rows, T),
        **_slow_buffers(empty, rows if truncates else 0, T, room),
    )
    return Workspace((rows, vocabulary), work.scale.device, truncates, work, Launcher(), new_threads(place))


def _row_buffers(empty: Empty, S: int) -> dict[str, torch.Tensor]:
    names = {
        torch.float32: ("scale", "min_p", "threshold", "raw_threshold"),
        torch.int32: ("top_k", "num_listed", "num_top", "slow"),
        torch.int64: ("top_p", "stream"),
        torch.uint64: ("low", "high", "floor"),
    }
    return {name: empty(dtype, S) for dtype, several in names.items() for name in several}


def _list_buffers(empty: Empty, S: int) -> dict[str, torch.Tensor]:
    return {
        "listed_first": empty(torch.int32, S, LISTED),
        "listed": empty(torch.float32, S, LISTED, VECTOR),
        "top_first": empty(torch.int32, S, LISTED),
        "top": empty(torch.float32, S, LISTED, VECTOR),
        "candidates": empty(torch.uint64, S, LISTED),
    }


def _tile_buffers(empty: Empty, S: int, T: int) -> dict[str, torch.Tensor]:
    names = {
        torch.float32: ("tile_peak", "raw_peak", "raw_sum"),
        torch.int32: ("tile_first", "tile_finite"),
        torch.uint64: ("tile_mass", "raw_mass"),
    }
    tiles = {name: empty(dtype, S, T) for dtype, several in names.items() for name in several}
    groups = {name: empty(torch.float32, S, T * GROUPS) for name in ("group_peak", "raw_group_peak")}
    return tiles | groups


def _slow_buffers(empty: Empty, S: int, T: int, room: int) -> dict[str, torch.Tensor]:
    """Of rows that are split."""
    return {
        "from_mass": empty(torch.uint64, S, T),
        "from_count": empty(torch.int32, S, T),
        "inside_mass": empty(torch.uint64, S, T),
        "inside_first": empty(torch.int32, S, T),
        "inside_count": empty(torch.int32, S, T),
        "num_inside": empty(torch.int32, S),
        "inside": empty(torch.uint64, S, room),
    }

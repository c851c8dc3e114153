"""Buffers of a call: what the kernels leave for each other, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from genlib.ops.cpu import CpuOps

from ..row.launcher import Launcher
from ..row.sizes import GROUPS, LISTED, VECTOR, num_tiles
from ..row.threads import new_threads
from .limits import SORTABLE, room_inside


class Work(NamedTuple):
    """T tiles to a row. Up to raw_group_peak they are those of `peaks_of`, from tile_mass on consecutive ids."""

    tiles_done: torch.Tensor  # [S] int32: tiles whose peaks are there so far, if a call has lists; 0 between calls
    tile_peak: torch.Tensor  # [S, T] float32: largest processed value
    tile_first: torch.Tensor  # [S, T] int32: first token that has it
    tile_finite: torch.Tensor  # [S, T] int32: tokens with a finite processed value
    raw_peak: torch.Tensor  # [S, T] float32: of the values as they came
    raw_sum: torch.Tensor  # [S, T] float32: of exp(x − raw_peak), about; not at temperature 1
    group_peak: torch.Tensor  # [S, T · 16] float32: largest processed value of groups of 64
    raw_group_peak: torch.Tensor  # the same, of the values as they came
    scale: torch.Tensor  # [S] float32, and the next three: parameters as RowParams has them
    top_k: torch.Tensor  # [S] int32
    top_p: torch.Tensor  # [S] int64
    min_p: torch.Tensor  # [S] float32
    stream: torch.Tensor  # [S] int64
    threshold: torch.Tensor  # [S] float32: what reaches it is a candidate
    raw_threshold: torch.Tensor  # [S] float32
    num_listed: torch.Tensor  # [S] int32: vectors with a candidate, those for which the list had no place included
    listed_first: torch.Tensor  # [S, LISTED] int32: their first ids, in any order
    listed: torch.Tensor  # [S, LISTED, VECTOR]: their processed values, in the logits' dtype if they are just those
    num_top: torch.Tensor  # [S] int32: the same, of the values as they came
    top_first: torch.Tensor  # [S, LISTED] int32
    top: torch.Tensor  # [S, LISTED, VECTOR] in the logits' dtype
    candidates: torch.Tensor  # [S, LISTED] uint64 keys
    tile_mass: torch.Tensor  # [S, T] uint64: of processed values
    raw_mass: torch.Tensor  # [S, T] uint64: of the values as they came, at temperature 1
    slow: torch.Tensor  # [S] int32: 1 if the candidates do not hold the boundary
    low: torch.Tensor  # [S] uint64: between these keys it should be
    high: torch.Tensor  # [S] uint64
    floor: torch.Tensor  # [S] uint64: the lowest key that min-p keeps
    from_mass: torch.Tensor  # [S, T] uint64: of keys from `low` on
    from_count: torch.Tensor  # [S, T] int32
    inside_mass: torch.Tensor  # [S, T] uint64: of keys from `low` to `high`; of a row that was split again
    inside_first: torch.Tensor  # [S, T] int32: where in the list the tile's are
    inside_count: torch.Tensor  # [S, T] int32
    num_inside: torch.Tensor  # [S] int32
    inside: torch.Tensor  # [S, room_inside(V) + 2 · SORTABLE] uint64 keys from `low` to `high`, in any order


@dataclass(frozen=True, slots=True)
class Workspace:
    """The kernels' buffers for calls on up to S rows of V tokens. One call at a time uses them.

    Calls on one stream may share a workspace, which saves allocating; so may captured graphs that are replayed on
    one stream. On a GPU it also keeps the compiled kernels that it has launched, which makes a launch cheaper; on the
    CPU it is threads and their scratch, `host`, that are kept from call to call.
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
    """Buffers for up to S rows: of each 41 KB and V / 6 bytes, with `truncates` 25 KB or 1.2 · V bytes more.

    truncates: top-k, top-p or min-p may be on. On a GPU the stream that makes them uses them, or waits for it.
    """
    place = torch.device(device)
    S, T = rows, num_tiles(vocabulary)
    slow = S if truncates else 0
    room = room_inside(vocabulary) + 2 * SORTABLE

    def empty(dtype: torch.dtype, *shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device=place)

    f32, i32, i64, u64 = torch.float32, torch.int32, torch.int64, torch.uint64
    work = Work(
        tiles_done=torch.zeros(S, dtype=i32, device=place),
        tile_peak=empty(f32, S, T),
        tile_first=empty(i32, S, T),
        tile_finite=empty(i32, S, T),
        raw_peak=empty(f32, S, T),
        raw_sum=empty(f32, S, T),
        group_peak=empty(f32, S, T * GROUPS),
        raw_group_peak=empty(f32, S, T * GROUPS),
        scale=empty(f32, S),
        top_k=empty(i32, S),
        top_p=empty(i64, S),
        min_p=empty(f32, S),
        stream=empty(i64, S),
        threshold=empty(f32, S),
        raw_threshold=empty(f32, S),
        num_listed=empty(i32, S),
        listed_first=empty(i32, S, LISTED),
        listed=empty(f32, S, LISTED, VECTOR),
        num_top=empty(i32, S),
        top_first=empty(i32, S, LISTED),
        top=empty(f32, S, LISTED, VECTOR),
        candidates=empty(u64, S, LISTED),
        tile_mass=empty(u64, S, T),
        raw_mass=empty(u64, S, T),
        slow=empty(i32, S),
        low=empty(u64, S),
        high=empty(u64, S),
        floor=empty(u64, S),
        from_mass=empty(u64, slow, T),
        from_count=empty(i32, slow, T),
        inside_mass=empty(u64, slow, T),
        inside_first=empty(i32, slow, T),
        inside_count=empty(i32, slow, T),
        num_inside=empty(i32, slow),
        inside=empty(u64, slow, room),
    )
    return Workspace((rows, vocabulary), work.scale.device, truncates, work, Launcher(), new_threads(place))

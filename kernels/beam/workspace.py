"""Buffers of a beam step: what its kernels leave for each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from genlib.ops.cpu import CpuOps

from ..row.launcher import Launcher
from ..row.sizes import LISTED, VECTOR, num_tiles
from ..row.threads import new_threads
from .host import SearchArrays
from .limits import groups_of_tile, num_blocks


class BeamWork(NamedTuple):
    """T tiles and U blocks to a row. What belongs to a search lies at its first row, or from that on."""

    tiles_done: torch.Tensor  # [S] int32: programs of the first kernel that are done; 0 between steps
    slot: torch.Tensor  # [S] int32: of the row's search, or −1
    first_row: torch.Tensor  # [S] int32: of the row's search
    group_peak: torch.Tensor  # [S, T · groups_of_tile(V)] float32: largest logit of groups of tokens
    peak: torch.Tensor  # [S] float32
    threshold: torch.Tensor  # [S] float32: what reaches it is listed
    num_listed: torch.Tensor  # [S] int32: vectors that hold such a token, also those that found no place
    listed_first: torch.Tensor  # [S, LISTED] int32: their first ids, in any order
    listed: torch.Tensor  # [S, LISTED, VECTOR] in the logits' dtype
    block_mass: torch.Tensor  # [S, U] uint64
    blocks_done: torch.Tensor  # [S] int32: programs of the second kernel that are done
    log_total: torch.Tensor  # [S] float64: ln of the row's mass over its first token's
    unlisted: torch.Tensor  # [S] float32: no token that is not listed scores more
    rows_done: torch.Tensor  # [S] int32: rows of the search that are summed up
    num_keys: torch.Tensor  # [S] int32: candidates of the search, also those that found no place
    keys: torch.Tensor  # [S, LISTED] uint64: the search's candidates
    floor: torch.Tensor  # [S] uint32: bits of the lowest logit that scores what the last candidate does
    high: torch.Tensor  # [S] uint32: bits of the lowest logit that scores more
    end: torch.Tensor  # [S, LISTED] int32: how a chosen candidate ends, and the next two: where that leaves it
    stop_state: torch.Tensor  # [S, LISTED] int32
    match_end: torch.Tensor  # [S, LISTED] int32


@dataclass(frozen=True, slots=True)
class BeamWorkspace:
    """The kernels' buffers for beam steps on up to S rows of V tokens. One step at a time uses them.

    On a GPU it also keeps the compiled kernels that it has launched. On the CPU it keeps threads and their scratch,
    `host`, and the `arrays` of the searches stepped last.
    """

    size: tuple[int, int]  # most S, V
    device: torch.device
    work: BeamWork
    launcher: Launcher
    host: CpuOps | None
    arrays: SearchArrays

    def fits(self, rows: int, vocabulary: int, device: torch.device) -> bool:
        """Whether a step can use them."""
        most, V = self.size
        return rows <= most and vocabulary == V and device == self.device


def new_beam_workspace(rows: int, vocabulary: int, device: torch.device | str) -> BeamWorkspace:
    """Buffers for S rows of V tokens: about 30 KB a row, and V / 14 bytes."""
    place = torch.device(device)
    S, T, U = rows, num_tiles(vocabulary), num_blocks(vocabulary)

    def empty(dtype: torch.dtype, *shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device=place)

    f32, i32 = torch.float32, torch.int32
    work = BeamWork(
        tiles_done=torch.zeros(S, dtype=i32, device=place),
        slot=empty(i32, S),
        first_row=empty(i32, S),
        group_peak=empty(f32, S, T * groups_of_tile(vocabulary)),
        peak=empty(f32, S),
        threshold=empty(f32, S),
        num_listed=empty(i32, S),
        listed_first=empty(i32, S, LISTED),
        listed=empty(f32, S, LISTED, VECTOR),
        block_mass=empty(torch.uint64, S, U),
        blocks_done=empty(i32, S),
        log_total=empty(torch.float64, S),
        unlisted=empty(f32, S),
        rows_done=empty(i32, S),
        num_keys=empty(i32, S),
        keys=empty(torch.uint64, S, LISTED),
        floor=empty(torch.uint32, S),
        high=empty(torch.uint32, S),
        end=empty(i32, S, LISTED),
        stop_state=empty(i32, S, LISTED),
        match_end=empty(i32, S, LISTED),
    )
    device = work.slot.device
    return BeamWorkspace((S, vocabulary), device, work, Launcher(), new_threads(place), SearchArrays())

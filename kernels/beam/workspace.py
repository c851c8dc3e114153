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

    tiles_done: torch.Tensor  # [R] int32: programs of the first kernel that have come so far; 0 between steps
    slot: torch.Tensor  # [R] int32: of the row's search, or −1
    first_row: torch.Tensor  # [R] int32: of the row's search
    group_peak: torch.Tensor  # [R, T · groups_of_tile(V)] float32: largest logit of groups of tokens
    peak: torch.Tensor  # [R] float32
    threshold: torch.Tensor  # [R] float32: what reaches it is listed
    num_listed: torch.Tensor  # [R] int32: vectors that hold such a token, those for which there was no place included
    listed_first: torch.Tensor  # [R, LISTED] int32: their first ids, in any order
    listed: torch.Tensor  # [R, LISTED, VECTOR] in the logits' dtype
    block_mass: torch.Tensor  # [R, U] uint64
    blocks_done: torch.Tensor  # [R] int32: programs of the second kernel that have come so far
    log_total: torch.Tensor  # [R] float64: ln of the row's mass over its first token's
    unlisted: torch.Tensor  # [R] float32: no token that is not listed scores more
    rows_done: torch.Tensor  # [R] int32: rows of the search that are summed up
    num_keys: torch.Tensor  # [R] int32: candidates of the search, those for which there was no place included
    keys: torch.Tensor  # [R, LISTED] uint64: the search's candidates
    floor: torch.Tensor  # [R] uint32: bits of the lowest logit that scores what the last candidate does
    high: torch.Tensor  # [R] uint32: bits of the lowest logit that scores more
    end: torch.Tensor  # [R, LISTED] int32: how a chosen candidate ends, and the next two: where it is then
    stop_state: torch.Tensor  # [R, LISTED] int32
    match_end: torch.Tensor  # [R, LISTED] int32


@dataclass(frozen=True, slots=True)
class BeamWorkspace:
    """The kernels' buffers for beam steps on up to R rows of V tokens. One step at a time uses them.

    On a GPU it also keeps the compiled kernels that it has launched. On the CPU it keeps threads and their scratch,
    `host`, and the `arrays` of the searches stepped last.
    """

    size: tuple[int, int]  # most R, V
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
    """Buffers for R rows of V tokens: about 30 KB a row, and V / 14 bytes."""
    place = torch.device(device)
    R, T, U = rows, num_tiles(vocabulary), num_blocks(vocabulary)

    def empty(dtype: torch.dtype, *shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device=place)

    f32, i32 = torch.float32, torch.int32
    work = BeamWork(
        tiles_done=torch.zeros(R, dtype=i32, device=place),
        slot=empty(i32, R),
        first_row=empty(i32, R),
        group_peak=empty(f32, R, T * groups_of_tile(vocabulary)),
        peak=empty(f32, R),
        threshold=empty(f32, R),
        num_listed=empty(i32, R),
        listed_first=empty(i32, R, LISTED),
        listed=empty(f32, R, LISTED, VECTOR),
        block_mass=empty(torch.uint64, R, U),
        blocks_done=empty(i32, R),
        log_total=empty(torch.float64, R),
        unlisted=empty(f32, R),
        rows_done=empty(i32, R),
        num_keys=empty(i32, R),
        keys=empty(torch.uint64, R, LISTED),
        floor=empty(torch.uint32, R),
        high=empty(torch.uint32, R),
        end=empty(i32, R, LISTED),
        stop_state=empty(i32, R, LISTED),
        match_end=empty(i32, R, LISTED),
    )
    device = work.slot.device
    return BeamWorkspace((R, vocabulary), device, work, Launcher(), new_threads(place), SearchArrays())

"""A pass over a row that sums what lies above two keys, and lists what lies between them."""

from __future__ import annotations

import triton
import triton.language as tl

from . import sizes
from .keys import key_of
from .mass import INFINITY, mass
from .tiles import FEW_TILES, ids_of, load_tile, num_tiles, row_and_tile, row_max, row_sum

SORTABLE = tl.constexpr(sizes.SORTABLE)


@triton.jit
def append_keys(chosen, keys, listed, counter, room):
    """Puts the chosen keys of a tile behind those that other programs have put. Gives where, and how many.

    Keys without a place are counted only.
    """
    flags = chosen.to(tl.int32)
    count = tl.sum(flags)
    first = 0
    if count > 0:
        first = tl.atomic_add(counter, count, sem="relaxed")
        slots = first + tl.cumsum(flags) - 1
        tl.store(listed + slots, keys, mask=chosen & (slots < room))
    return first, count


@triton.jit
def split_tile(logits, changes, work, given, s, tile, low, high, peak, scale, room, PLAIN: tl.constexpr):
    """Masses and numbers of a tile's keys from `high` on, and its keys from `low` to `high` put on the row's list."""
    z = load_tile(logits, changes, given, s, tile, PLAIN)
    keys = key_of(z, ids_of(tile))
    each = mass((z - peak) * scale)
    above = (keys >= high) & (z > -INFINITY)
    inside = (keys >= low) & (keys < high) & (z > -INFINITY)
    at = s * num_tiles(logits) + tile
    tl.store(work.above_mass + at, tl.sum(tl.where(above, each, 0)))
    tl.store(work.above_count + at, tl.sum(above.to(tl.int32)))
    tl.store(work.inside_mass + at, tl.sum(tl.where(inside, each, 0)))
    listed = work.inside + s * (room + 2 * SORTABLE)
    first, count = append_keys(inside, keys, listed, work.num_inside + s, room)
    tl.store(work.inside_first + at, first)
    tl.store(work.inside_count + at, count)


@triton.jit(do_not_specialize=["given"])
def split(logits, changes, work, given, room, PLAIN: tl.constexpr):
    """Grid S · T. `split_tile` for rows that `choose` left, by its guess."""
    s, tile = row_and_tile(logits)
    if tl.load(work.slow + s) != 0:
        peak = row_max(work.tile_peak, s, num_tiles(logits), FEW_TILES)
        scale = tl.load(work.scale + s)
        low = tl.load(work.low + s)
        high = tl.load(work.high + s)
        split_tile(logits, changes, work, given, s, tile, low, high, peak, scale, room, PLAIN)


@triton.jit
def split_again(logits, changes, work, given, s, low, high, peak, scale, room, PLAIN: tl.constexpr):
    """`split` of one row by one program."""
    tl.debug_barrier()
    tl.store(work.num_inside + s, 0)
    tl.debug_barrier()
    for tile in range(0, num_tiles(logits)):
        split_tile(logits, changes, work, given, s, tile, low, high, peak, scale, room, PLAIN)
    tl.debug_barrier()


@triton.jit
def split_weights(work, s, tiles, by_count):
    """Of the last split: the weights from `high` on and from `low` to `high`, and the number of the latter."""
    n = tl.load(work.num_inside + s)
    if by_count:
        above = row_sum(work.above_count, s, tiles).to(tl.uint64)
        inside = n.to(tl.uint64)
    else:
        above = row_sum(work.above_mass, s, tiles)
        inside = row_sum(work.inside_mass, s, tiles)
    return above, inside, n

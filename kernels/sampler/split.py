"""A pass over a row that sums what lies from a key on, and lists what of it lies below another."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import ALL, LOWEST, key_of, value_of
from ..row.mass import INFINITY, mass
from ..row.tiles import FEW_TILES, ids_of, num_tiles, row_and_tile, row_max, row_sum
from . import limits
from .guess import weight_of
from .values import load_tile

SORTABLE = tl.constexpr(limits.SORTABLE)
CHUNK = tl.constexpr(1024)


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
def put_tile(z, ids, from_low, inside, work, s, at, peak, scale, room):
    """Notes mass and number of a tile's keys from `low` on, and puts those inside, below `high`, on the row's list."""
    listed = work.inside + s * (room + 2 * SORTABLE)
    first, count = append_keys(inside, key_of(z, ids), listed, work.num_inside + s, room)
    tl.store(work.inside_first + at, first)
    tl.store(work.inside_count + at, count)
    tl.store(work.from_count + at, tl.sum(from_low.to(tl.int32)))
    tl.store(work.from_mass + at, tl.sum(mass(tl.where(from_low, (z - peak) * scale, -INFINITY))))


@triton.jit(do_not_specialize=["given"])
def split(logits, changes, work, given, room, PLAIN: tl.constexpr):
    """Grid S · T. Splits the rows that `choose` left at its guess: two keys without ids, so that values tell all."""
    s, tile = row_and_tile(logits)
    if tl.load(work.slow + s) != 0:
        tiles = num_tiles(logits)
        peak = row_max(work.tile_peak, s, tiles, FEW_TILES)
        scale = tl.load(work.scale + s)
        low = tl.load(work.low + s)
        z = load_tile(logits, changes, given, s, tile, PLAIN)
        from_low = z >= tl.where(low == 0, LOWEST, value_of(low))
        below = (z >= value_of(tl.load(work.high + s))) == 0  # nothing reaches ALL's, which is NaN
        put_tile(z, ids_of(tile), from_low, from_low & below, work, s, s * tiles + tile, peak, scale, room)


@triton.jit
def split_again(logits, changes, work, given, s, low, high, peak, scale, room, PLAIN: tl.constexpr):
    """`split` of one row by one program, at any keys. Sums what lies between them too, which then may not be listed."""
    tl.debug_barrier()
    tl.store(work.num_inside + s, 0)
    tl.debug_barrier()
    tiles = num_tiles(logits)
    for tile in range(0, tiles):
        z = load_tile(logits, changes, given, s, tile, PLAIN)
        ids = ids_of(tile)
        keys = key_of(z, ids)
        from_low = (keys >= low) & (z > -INFINITY)
        inside = from_low & (keys < high)
        at = s * tiles + tile
        put_tile(z, ids, from_low, inside, work, s, at, peak, scale, room)
        tl.store(work.inside_mass + at, tl.sum(mass(tl.where(inside, (z - peak) * scale, -INFINITY))))
    tl.debug_barrier()


@triton.jit
def weight_listed(listed, n, boundary, peak, scale):
    """The mass of those of n listed keys that are below the boundary."""
    total = tl.full((), 0, tl.uint64)
    for i in range(0, n, CHUNK):
        at = i + tl.arange(0, CHUNK)
        keys = tl.load(listed + at, mask=at < n, other=0)
        total += tl.sum(tl.where(keys < boundary, weight_of(keys, False, peak, scale), 0))
    return total


@triton.jit
def split_weights(work, s, tiles, by_count, peak, scale, room):
    """Of the last split: the weights from `high` on and from `low` to `high`, and the number of the latter.

    If these did not all find a place on the list, and it is not by number, the last split must be `split_again`'s.
    """
    n = tl.load(work.num_inside + s)
    inside = tl.full((), 0, tl.uint64)
    if by_count:
        from_low = row_sum(work.from_count, s, tiles).to(tl.uint64)
        inside = n.to(tl.uint64)
    else:
        from_low = row_sum(work.from_mass, s, tiles)
        if n > room:
            inside = row_sum(work.inside_mass, s, tiles)
        else:
            inside = weight_listed(work.inside + s * (room + 2 * SORTABLE), n, ALL, peak, scale)
    return from_low - inside, inside, n

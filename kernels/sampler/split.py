"""A split of a row at two keys: the sum of what lies from the lower one on, and a list of what of it lies between."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.keys import ALL, LOWEST, key_of, value_of
from ..row.mass import INFINITY, mass
from ..row.tiles import FEW_TILES, ids_of, num_tiles, row_and_tile, row_max, row_sum
from . import limits
from .measure import Measure, weight_of, y_of
from .values import Values, load_tile

SORTABLE = tl.constexpr(limits.SORTABLE)
CHUNK = tl.constexpr(1024)  # keys of a list that are looked at together


@triton.jit
def list_of(work, s, room):
    """Where the list of row s is: `room` keys, and behind them places for 2 · SORTABLE more."""
    return work.inside + s * (room + 2 * SORTABLE)


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
        places = first + tl.cumsum(flags) - 1
        tl.store(listed + places, keys, mask=chosen & (places < room))
    return first, count


@triton.jit
def put_tile(work, s, at, z, ids, from_low, inside, measure, room):
    """Stores, at tile `at` of all rows, mass and number of the tokens from_low [1024]; lists those inside.

    from_low: those from the lower key on; inside: those of them below the upper one.
    """
    first, count = append_keys(inside, key_of(z, ids), list_of(work, s, room), work.num_inside + s, room)
    tl.store(work.inside_first + at, first)
    tl.store(work.inside_count + at, count)
    tl.store(work.from_count + at, tl.sum(from_low.to(tl.int32)))
    tl.store(work.from_mass + at, tl.sum(mass(tl.where(from_low, y_of(z, measure), -INFINITY))))


@triton.jit(do_not_specialize=["given"])
def split(logits, changes, work, given, room, PLAIN: tl.constexpr):
    """Grid S · T. Splits the rows that `choose` left at its guess: two keys without ids, so that values tell all."""
    s, tile = row_and_tile(logits)
    if tl.load(work.slow + s) != 0:
        tiles = num_tiles(logits)
        measure = Measure(row_max(work.tile_peak, s, tiles, FEW_TILES), tl.load(work.scale + s))
        low = tl.load(work.low + s)
        z = load_tile(Values(logits, changes, given), s, tile, PLAIN)
        from_low = z >= tl.where(low == 0, LOWEST, value_of(low))
        below = (z >= value_of(tl.load(work.high + s))) == 0  # nothing reaches ALL's, which is NaN
        put_tile(work, s, s * tiles + tile, z, ids_of(tile), from_low, from_low & below, measure, room)


@triton.jit
def split_again(values, work, s, low, high, measure, room, PLAIN: tl.constexpr):
    """`split` of one row by one program, at any keys. Sums what lies between them too, which then may not be listed."""
    tl.debug_barrier()
    tl.store(work.num_inside + s, 0)
    tl.debug_barrier()
    tiles = num_tiles(values.logits)
    for tile in range(0, tiles):
        z = load_tile(values, s, tile, PLAIN)
        ids = ids_of(tile)
        keys = key_of(z, ids)
        from_low = (keys >= low) & (z > -INFINITY)
        inside = from_low & (keys < high)
        at = s * tiles + tile
        put_tile(work, s, at, z, ids, from_low, inside, measure, room)
        tl.store(work.inside_mass + at, tl.sum(mass(tl.where(inside, y_of(z, measure), -INFINITY))))
    tl.debug_barrier()


@triton.jit
def mass_below(listed, n, boundary, measure):
    """The mass of those of n listed keys that are below the boundary."""
    total = tl.full((), 0, tl.uint64)
    for i in range(0, n, CHUNK):
        at = i + tl.arange(0, CHUNK)
        keys = tl.load(listed + at, mask=at < n, other=0)
        total += tl.sum(tl.where(keys < boundary, weight_of(keys, False, measure), 0))
    return total


@triton.jit
def split_weights(work, s, tiles, by_count, measure, room):
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
            inside = mass_below(list_of(work, s, room), n, ALL, measure)
    return from_low - inside, inside, n

"""The draw of a token from the kept ones of a row, tile by tile."""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from ..row.keys import key_of
from ..row.mass import mass
from ..row.tiles import TILE, ids_of
from .measure import y_of
from .values import load_tile


class Draws(NamedTuple):
    """What makes each row's draw its own, with its stream: [S] int64 both."""

    seed: Any
    position: Any


@triton.jit
def walk(values, s, tile_masses, word, boundary, measure, PLAIN: tl.constexpr):
    """Draws from the tokens of row s whose keys are `boundary` or more; tile_masses [WIDEST] are their sums by tile.

    The token is the first, in the order of ids, whose running sum exceeds r = floor(word · total / 2⁶⁴). Gives it, its
    y and the total.
    """
    total = tl.sum(tile_masses)
    r = tl.umulhi(word, total)
    running = tl.cumsum(tile_masses)
    tile = tl.sum((running <= r).to(tl.int32))
    r -= tl.sum(tl.where(running <= r, tile_masses, 0))
    z = load_tile(values, s, tile, PLAIN)
    ids = ids_of(tile)
    y = y_of(z, measure)
    kept = tl.where(key_of(z, ids) >= boundary, mass(y), 0)
    place = tl.minimum(tl.sum((tl.cumsum(kept) <= r).to(tl.int32)), TILE - 1)
    here = tl.arange(0, TILE) == place
    token = tl.minimum(tl.sum(tl.where(here, ids, 0)), values.logits.size - 1)
    return token, tl.sum(tl.where(here, y, 0.0)), total

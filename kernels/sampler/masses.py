"""The second look at a row: the sums of its masses against its peak, and the list of its candidates."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.lists import LISTED, VECTOR, append
from ..row.mass import INFINITY, MODEL_SCALE, mass
from ..row.tiles import TILE, load_logits, num_tiles
from .measure import y_of
from .values import processed


@triton.jit
def masses_of(values, work, s, tile, measure, raw_peak, PLAIN: tl.constexpr, LISTS: tl.constexpr):
    """Sums the masses of a tile of row s, against the row's peak; with LISTS, lists its candidates.

    At temperature 1 it also sums those of the logits as they came, against raw_peak, for the model's probability.
    """
    logits = values.logits
    sums = measure.scale != 0
    exact = measure.scale == MODEL_SCALE
    threshold = INFINITY
    raw_threshold = INFINITY
    if LISTS:
        threshold = tl.load(work.threshold + s)
        raw_threshold = tl.load(work.raw_threshold + s)
        # Top-k takes its masses from the candidates.
        sums = sums & (tl.load(work.top_k + s) == 0)
    if PLAIN:
        sums = sums | exact
    if sums | exact | (threshold < INFINITY) | (raw_threshold < INFINITY):
        first = tile * TILE
        firsts = first + tl.arange(0, TILE // VECTOR) * VECTOR
        ids = firsts[:, None] + tl.arange(0, VECTOR)[None, :]
        raw = load_logits(logits, s, ids)
        z = processed(values, s, raw.to(tl.float32), ids, first, PLAIN)
        if sums:
            at = s * num_tiles(logits) + tile
            tl.store(work.tile_mass + at, tl.sum(tl.sum(mass(y_of(z, measure)), 1)))
        if (not PLAIN) and exact:
            masses = mass((raw.to(tl.float32) - raw_peak) * measure.scale)
            tl.store(work.raw_mass + s * num_tiles(logits) + tile, tl.sum(tl.sum(masses, 1)))
        if LISTS:
            start = s * LISTED
            x = z
            if PLAIN:
                x = raw  # two bytes may do: a vector then is one store
            append(x, firsts, threshold, work.num_listed + s, work.listed_first + start, work.listed + start * VECTOR)
            if raw_threshold < INFINITY:
                append(raw, firsts, raw_threshold, work.num_top + s, work.top_first + start, work.top + start * VECTOR)

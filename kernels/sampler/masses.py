"""The second look at a row: the sums of its masses against its peak, and the list of its candidates."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row.lists import LISTED, VECTOR, append
from ..row.mass import INFINITY, MODEL_SCALE, mass
from ..row.tiles import TILE, load_logits, num_tiles
from .values import processed


@triton.jit
def masses_of(logits, changes, work, given, s, tile, peak, raw_peak, scale, PLAIN: tl.constexpr, LISTS: tl.constexpr):
    """The sum of the masses of a tile of row s, against the row's peak; the candidates if LISTS.

    At temperature 1 also that of the logits as they came, against raw_peak, for the model's probability.
    """
    sums = scale != 0
    exact = scale == MODEL_SCALE
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
        vectors = first + tl.arange(0, TILE // VECTOR) * VECTOR
        ids = vectors[:, None] + tl.arange(0, VECTOR)[None, :]
        raw = load_logits(logits, s, ids)
        z = processed(raw.to(tl.float32), ids, first, logits, changes, given, s, PLAIN)
        if sums:
            at = s * num_tiles(logits) + tile
            tl.store(work.tile_mass + at, tl.sum(tl.sum(mass((z - peak) * scale), 1)))
        if (not PLAIN) and exact:
            masses = mass((raw.to(tl.float32) - raw_peak) * scale)
            tl.store(work.raw_mass + s * num_tiles(logits) + tile, tl.sum(tl.sum(masses, 1)))
        if LISTS:
            room = s * LISTED
            values = z
            if PLAIN:
                values = raw  # two bytes may do: a vector then is one store
            append(
                values, vectors, threshold, work.num_listed + s, work.listed_first + room, work.listed + room * VECTOR
            )
            if raw_threshold < INFINITY:
                append(raw, vectors, raw_threshold, work.num_top + s, work.top_first + room, work.top + room * VECTOR)

"""From the row's peak to masses: a threshold for candidates, the masses' sums, and the list of candidates."""

from __future__ import annotations

import triton
import triton.language as tl

from . import sizes
from .keys import LOWEST, LOWEST_ORDER, order_bits, value_of_bits
from .mass import INFINITY, MODEL_SCALE, mass
from .peaks import GROUPS
from .tiles import TILE, is_plain, load_logits, num_tiles, processed, row_sum

LISTED = tl.constexpr(sizes.LISTED)
VECTOR = tl.constexpr(sizes.VECTOR)
BOUNDED = tl.constexpr(256)  # most groups whose peaks a threshold counts: about as many candidates, and some more
JOINED = tl.constexpr(1024)
LAST_BIT = tl.constexpr(1 << 11)


@triton.jit
def nth_largest(peaks, groups, n):
    """A float that at least n of the groups' peaks [groups] reach, within 2⁻¹¹ relative of the n-th largest peak.

    Beyond 1024 groups they are joined, every 1024th to one.
    """
    at = tl.arange(0, JOINED)
    joined = tl.load(peaks + at, mask=at < groups, other=-INFINITY)
    for i in range(JOINED, groups, JOINED):
        joined = tl.maximum(joined, tl.load(peaks + i + at, mask=i + at < groups, other=-INFINITY))
    orders = order_bits(joined)
    found = tl.full((), 0, tl.uint32)
    bit = tl.full((), 0x80000000, tl.uint32)
    reached = n + 1
    while (bit > LAST_BIT) & (reached != n):
        trial = found | bit
        count = tl.sum((orders >= trial).to(tl.int32))
        found = tl.where(count >= n, trial, found)
        reached = tl.where(count >= n, count, reached)
        bit >>= 1
    return tl.where(found < LOWEST_ORDER, LOWEST, value_of_bits(found))


@triton.jit(do_not_specialize=["first", "top_n"])
def bounds(logits, work, first, top_n):
    """Grid of the rows from `first` on. The value that candidates must reach: k of k groups' peaks do, so that top-k
    finds its k among them.

    Also empties the row's lists, and takes back a top-k that keeps all.
    """
    s = (first + tl.program_id(0)).to(tl.int64)
    tiles = num_tiles(logits)
    groups = tiles * GROUPS
    finite = row_sum(work.tile_finite, s, tiles)
    k = tl.load(work.top_k + s)
    k = tl.where(k < finite, k, 0)
    tl.store(work.top_k + s, k)
    truncates = (k > 0) | (tl.load(work.top_p + s) > 0) | (tl.load(work.min_p + s) > -INFINITY)
    threshold = INFINITY
    if truncates & (tl.load(work.scale + s) != 0):
        n = tl.minimum(tl.where(k > 0, k, groups * 3 // 4), BOUNDED)
        threshold = LOWEST
        if finite > LISTED:
            threshold = nth_largest(work.group_peak + s * groups, groups, n)
    tl.store(work.threshold + s, threshold)
    tl.store(work.num_listed + s, 0)
    raw_threshold = INFINITY
    if top_n > 0:
        raw_threshold = nth_largest(work.raw_group_peak + s * groups, groups, top_n)
    tl.store(work.raw_threshold + s, raw_threshold)
    tl.store(work.num_top + s, 0)


@triton.jit
def append(z, vectors, threshold, counter, firsts, values):
    """Puts those of a tile's vectors of 8 tokens on a row's list that hold a candidate: first id and values.

    z [128, 8], vectors [128]: their first ids. Those for which the list has no place are counted only.
    """
    chosen = tl.sum((z.to(tl.float32) >= threshold).to(tl.int32), 1) > 0
    count = tl.sum(chosen.to(tl.int32))
    if count > 0:
        slots = tl.atomic_add(counter, count, sem="relaxed") + tl.cumsum(chosen.to(tl.int32)) - 1
        chosen = chosen & (slots < LISTED)
        tl.store(firsts + slots, vectors, mask=chosen)
        at = slots[:, None] * VECTOR + tl.arange(0, VECTOR)[None, :]
        tl.store(values + at, z, mask=chosen[:, None])


@triton.jit
def masses_of(logits, changes, work, given, s, tile, peak, scale, PLAIN: tl.constexpr, LISTS: tl.constexpr):
    """The sum of the masses of a tile of row s, against the row's peak; the candidates if LISTS."""
    sums = scale != 0
    threshold = INFINITY
    raw_threshold = INFINITY
    if LISTS:
        threshold = tl.load(work.threshold + s)
        raw_threshold = tl.load(work.raw_threshold + s)
        # Top-k takes its masses from the candidates.
        exact = is_plain(changes, given, s, PLAIN) & (scale == MODEL_SCALE)
        sums = sums & (exact | (tl.load(work.top_k + s) == 0))
    if sums | (threshold < INFINITY) | (raw_threshold < INFINITY):
        first = tile * TILE
        vectors = first + tl.arange(0, TILE // VECTOR) * VECTOR
        ids = vectors[:, None] + tl.arange(0, VECTOR)[None, :]
        raw = load_logits(logits, s, ids)
        z = processed(raw.to(tl.float32), ids, first, logits, changes, given, s, PLAIN)
        if sums:
            at = s * num_tiles(logits) + tile
            tl.store(work.tile_mass + at, tl.sum(tl.sum(mass((z - peak) * scale), 1)))
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

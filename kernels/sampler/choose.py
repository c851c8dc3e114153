"""The draw of every row whose kept tokens are all tokens, or among its candidates: the usual case of the sampler."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row import sizes
from ..row.keys import id_of, key_of, sort, value_of
from ..row.lists import LISTED, VECTOR
from ..row.mass import INFINITY, MASS_BITS, PEAK_MASS_BITS, mass, probability, random_word, target_of
from ..row.tiles import LARGEST_ID, TILE, WIDEST, ids_of, num_tiles, row_max, row_sum
from .answers import status_of, write_row
from .guess import prepare
from .values import load_tile

LOG_LISTED = tl.constexpr(sizes.LISTED.bit_length() - 1)
FEW = tl.constexpr(128)
LOG_FEW = tl.constexpr(7)
NO_KEPT = tl.constexpr(0x7FFFFFFF)  # more than any number of tokens


@triton.jit
def walk(tile_masses, word, logits, changes, given, s, peak, scale, boundary, PLAIN: tl.constexpr):
    """Draws from the keys of a row from `boundary` on, whose masses sum to tile_masses [WIDEST] in the tiles.

    The first token, in the order of ids, whose running sum exceeds r = floor(word · total / 2⁶⁴). Gives it, its y
    and the total.
    """
    total = tl.sum(tile_masses)
    r = tl.umulhi(word, total)
    running = tl.cumsum(tile_masses)
    tile = tl.sum((running <= r).to(tl.int32))
    r -= tl.sum(tl.where(running <= r, tile_masses, 0))
    z = load_tile(logits, changes, given, s, tile, PLAIN)
    ids = ids_of(tile)
    y = (z - peak) * scale
    kept = tl.where(key_of(z, ids) >= boundary, mass(y), 0)
    place = tl.minimum(tl.sum((tl.cumsum(kept) <= r).to(tl.int32)), TILE - 1)
    here = tl.arange(0, TILE) == place
    token = tl.minimum(tl.sum(tl.where(here, ids, 0)), logits.size - 1)
    return token, tl.sum(tl.where(here, y, 0.0)), total


@triton.jit
def gather(firsts, values, n, threshold, candidates):
    """The candidates' keys out of n listed vectors, in no order. Gives their number.

    Those for which there is no place are counted only.
    """
    count = 0
    for i in range(0, n, FEW):
        slots = i + tl.arange(0, FEW)
        ids = tl.load(firsts + slots, mask=slots < n, other=0)[:, None] + tl.arange(0, VECTOR)[None, :]
        at = slots[:, None] * VECTOR + tl.arange(0, VECTOR)[None, :]
        z = tl.load(values + at, mask=slots[:, None] < n, other=-INFINITY).to(tl.float32)
        chosen = tl.reshape(z >= threshold, [FEW * VECTOR])
        places = count + tl.cumsum(chosen.to(tl.int32)) - 1
        keys = tl.reshape(key_of(z, ids), [FEW * VECTOR])
        tl.store(candidates + places, keys, mask=chosen & (places < LISTED))
        count += tl.sum(chosen.to(tl.int32))
    tl.debug_barrier()
    return count


@triton.jit
def choose_listed(listed, n, finite, k, top_p, min_p, peak, scale, whole, word, LOG_SIZE: tl.constexpr):
    """Cuts and draws from n candidates, the first of the row's order, if they hold the boundary.

    whole: the row's mass, used without top-k. Gives whether they do, and if so token, y, the kept mass and number.
    """
    rank = tl.arange(0, 2**LOG_SIZE)
    there = rank < n
    keys = sort(tl.load(listed + rank, mask=there, other=0), LOG_SIZE, True)
    y = (value_of(keys) - peak) * scale
    each = tl.where(there, mass(y), 0)
    kept = tl.where(k > 0, k, finite)
    running = tl.cumsum(tl.where(rank < kept, each, 0))
    reach = tl.max(running)
    if top_p > 0:
        target = target_of(top_p.to(tl.uint64), tl.where(k > 0, reach, whole))
        needed = tl.sum((running < target).to(tl.int32)) + 1
        known = (k == 0) | (k <= n)
        kept = tl.where(known, tl.where(reach >= target, tl.minimum(kept, needed), kept), NO_KEPT)
    over_floor = tl.sum((there & (y >= min_p)).to(tl.int32))
    kept = tl.where((over_floor < n) & (kept != NO_KEPT), tl.minimum(kept, over_floor), kept)
    certain = kept <= n
    token = -1
    drawn = 0.0
    total = tl.full((), 0, tl.uint64)
    if certain:
        kept_mass = tl.where(rank < kept, each, 0)
        total = tl.sum(kept_mass)
        r = tl.umulhi(word, total)
        # Id and mass in one number: the order of ids, with no need to fetch what belongs to each.
        pairs = (id_of(keys).to(tl.uint64) << MASS_BITS) | kept_mass
        pairs = sort(tl.where(rank < kept, pairs, tl.full((), 1, tl.uint64) << 63), LOG_SIZE, False)
        sums = tl.cumsum(pairs & ((tl.full((), 1, tl.uint64) << MASS_BITS) - 1))
        place = tl.sum((sums <= r).to(tl.int32))
        token = tl.sum(tl.where(rank == place, (pairs >> MASS_BITS).to(tl.int32), 0))
        drawn = tl.sum(tl.where(there & (id_of(keys) == token), y, 0.0))
    return certain, token, drawn, total, kept


@triton.jit
def choose_truncated(work, s, finite, k, top_p, min_p, peak, scale, whole, word):
    """`choose_listed` of a row's candidates, sorted among as many places as they need."""
    candidates = work.candidates + s * LISTED
    n = tl.load(work.num_listed + s)
    if n <= LISTED:
        room = s * LISTED
        threshold = tl.load(work.threshold + s)
        n = gather(work.listed_first + room, work.listed + room * VECTOR, n, threshold, candidates)
    certain = n < 0
    token = -1
    y = 0.0
    total = tl.full((), 1, tl.uint64)
    kept = 0
    if n <= FEW:
        certain, token, y, total, kept = choose_listed(
            candidates, n, finite, k, top_p, min_p, peak, scale, whole, word, LOG_FEW
        )
    elif n <= LISTED:
        certain, token, y, total, kept = choose_listed(
            candidates, n, finite, k, top_p, min_p, peak, scale, whole, word, LOG_LISTED
        )
    return certain, token, y, total, kept


@triton.jit
def greedy_token(work, s, tiles, peak):
    """The first token with the row's peak."""
    at = tl.arange(0, WIDEST)
    is_first = tl.load(work.tile_peak + s * tiles + at, mask=at < tiles, other=-INFINITY) == peak
    firsts = tl.load(work.tile_first + s * tiles + at, mask=at < tiles, other=LARGEST_ID)
    return tl.min(tl.where(is_first, firsts, LARGEST_ID))


@triton.jit(do_not_specialize=["given"])
def choose(logits, seeds, positions, changes, work, out, given, room, PLAIN: tl.constexpr, TRUNCATES: tl.constexpr):
    """Grid S. Answers a row, or leaves it to `split` and `finish` with a guess of where its boundary lies."""
    s = tl.program_id(0).to(tl.int64)
    tl.store(work.tiles_done + s, 0)  # for the next call
    tiles = num_tiles(logits)
    peak = row_max(work.tile_peak, s, tiles, WIDEST)
    raw_peak = row_max(work.raw_peak, s, tiles, WIDEST)
    finite = row_sum(work.tile_finite, s, tiles)
    scale = tl.load(work.scale + s)
    status = status_of(raw_peak, peak)
    certain = status == status  # noqa: PLR0124 (true)
    token = -1
    kept = 0
    y = 0.0
    total = tl.full((), PEAK_MASS_BITS, tl.uint64)  # greedy: the first token has it all
    if (status == 0) & (scale == 0):
        token = greedy_token(work, s, tiles, peak)
        kept = 1
    elif status == 0:
        word = random_word(tl.load(seeds + s), tl.load(work.stream + s), tl.load(positions + s))
        truncates = False
        if TRUNCATES:
            k = tl.load(work.top_k + s)
            top_p = tl.load(work.top_p + s)
            min_p = tl.load(work.min_p + s)
            truncates = (k > 0) | (top_p > 0) | (min_p > -INFINITY)
            if truncates:
                whole = row_sum(work.tile_mass, s, tiles)
                certain, token, y, total, kept = choose_truncated(
                    work, s, finite, k, top_p, min_p, peak, scale, whole, word
                )
                if not certain:
                    prepare(logits, changes, work, given, s, k, top_p, min_p, finite, whole, peak, scale, room, PLAIN)
        if not truncates:
            at = tl.arange(0, WIDEST)
            tile_masses = tl.load(work.tile_mass + s * tiles + at, mask=at < tiles, other=0)
            token, y, total = walk(tile_masses, word, logits, changes, given, s, peak, scale, 0, PLAIN)
            kept = finite
    if TRUNCATES:
        tl.store(work.slow + s, 1 - certain.to(tl.int32))
    if certain:
        sampling = tl.where(status == 0, probability(y, total.to(tl.float64)), 0.0)
        write_row(logits, work, out, s, raw_peak, status, token, sampling, kept)

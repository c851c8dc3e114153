"""The draw of every row whose kept tokens are all tokens, or among its candidates: the usual case."""

from __future__ import annotations

import triton
import triton.language as tl

from ..row import sizes
from ..row.keys import id_of, sort, value_of
from ..row.lists import LISTED, VECTOR
from ..row.mass import INFINITY, MASS_BITS, PEAK_MASS_BITS, mass, probability, random_word, target_of
from ..row.tiles import LARGEST_ID, WIDEST, num_tiles, row_max, row_sum
from .answers import Answer, status_of, write_row
from .candidates import FEW, gather
from .draw import walk
from .guess import prepare
from .measure import Measure, y_of
from .settings import load_cuts
from .values import Values

LOG_LISTED = tl.constexpr(sizes.LISTED.bit_length() - 1)
LOG_FEW = tl.constexpr(7)
NO_KEPT = tl.constexpr(0x7FFFFFFF)  # more than any number of tokens


@triton.jit
def choose_listed(listed, n, cuts, finite, whole, measure, word, LOG_SIZE: tl.constexpr):
    """Cuts and draws from n candidates, the first of the row's order, if they hold the boundary.

    listed: their keys. finite: how many of the row's values are; whole: its mass, used without top-k. Gives whether
    they hold it, and if so token, y, the kept mass and number.
    """
    rank = tl.arange(0, 2**LOG_SIZE)
    there = rank < n
    keys = sort(tl.load(listed + rank, mask=there, other=0), LOG_SIZE, True)
    y = y_of(value_of(keys), measure)
    each = tl.where(there, mass(y), 0)
    kept = tl.where(cuts.k > 0, cuts.k, finite)
    running = tl.cumsum(tl.where(rank < kept, each, 0))
    reach = tl.max(running)
    if cuts.top_p > 0:
        target = target_of(cuts.top_p.to(tl.uint64), tl.where(cuts.k > 0, reach, whole))
        needed = tl.sum((running < target).to(tl.int32)) + 1
        known = (cuts.k == 0) | (cuts.k <= n)
        kept = tl.where(known, tl.where(reach >= target, tl.minimum(kept, needed), kept), NO_KEPT)
    over_floor = tl.sum((there & (y >= cuts.min_p)).to(tl.int32))
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
def choose_truncated(work, s, cuts, finite, whole, measure, word):
    """`choose_listed` of a row's candidates, sorted among as many places as they need."""
    candidates = work.candidates + s * LISTED
    n = tl.load(work.num_listed + s)
    if n <= LISTED:
        start = s * LISTED
        threshold = tl.load(work.threshold + s)
        n = gather(work.listed_first + start, work.listed + start * VECTOR, n, threshold, candidates)
    certain = n < 0
    token = -1
    y = 0.0
    total = tl.full((), 1, tl.uint64)
    kept = 0
    if n <= FEW:
        certain, token, y, total, kept = choose_listed(candidates, n, cuts, finite, whole, measure, word, LOG_FEW)
    elif n <= LISTED:
        certain, token, y, total, kept = choose_listed(candidates, n, cuts, finite, whole, measure, word, LOG_LISTED)
    return certain, token, y, total, kept


@triton.jit
def greedy_token(work, s, tiles, peak):
    """The first token with the row's peak."""
    tile = tl.arange(0, WIDEST)
    is_first = tl.load(work.tile_peak + s * tiles + tile, mask=tile < tiles, other=-INFINITY) == peak
    firsts = tl.load(work.tile_first + s * tiles + tile, mask=tile < tiles, other=LARGEST_ID)
    return tl.min(tl.where(is_first, firsts, LARGEST_ID))


@triton.jit(do_not_specialize=["given"])
def choose(logits, draws, changes, work, out, given, room, PLAIN: tl.constexpr, TRUNCATES: tl.constexpr):
    """Grid S. Answers a row, or leaves it to `split` and `finish` with a guess of where its boundary lies."""
    values = Values(logits, changes, given)
    s = tl.program_id(0).to(tl.int64)
    tl.store(work.tiles_done + s, 0)  # for the next call
    tiles = num_tiles(logits)
    peak = row_max(work.tile_peak, s, tiles, WIDEST)
    raw_peak = row_max(work.raw_peak, s, tiles, WIDEST)
    finite = row_sum(work.tile_finite, s, tiles)
    measure = Measure(peak, tl.load(work.scale + s))
    status = status_of(raw_peak, peak)
    certain = status == status  # noqa: PLR0124 (true)
    token = -1
    kept = 0
    y = 0.0
    total = tl.full((), PEAK_MASS_BITS, tl.uint64)  # greedy: the first token has it all
    if (status == 0) & (measure.scale == 0):
        token = greedy_token(work, s, tiles, peak)
        kept = 1
    elif status == 0:
        word = random_word(tl.load(draws.seed + s), tl.load(work.stream + s), tl.load(draws.position + s))
        truncates = False
        if TRUNCATES:
            cuts = load_cuts(work, s)
            truncates = (cuts.k > 0) | (cuts.top_p > 0) | (cuts.min_p > -INFINITY)
            if truncates:
                whole = row_sum(work.tile_mass, s, tiles)
                certain, token, y, total, kept = choose_truncated(work, s, cuts, finite, whole, measure, word)
                if not certain:
                    prepare(values, work, s, cuts, finite, whole, measure, room, PLAIN)
        if not truncates:
            tile = tl.arange(0, WIDEST)
            tile_masses = tl.load(work.tile_mass + s * tiles + tile, mask=tile < tiles, other=0)
            token, y, total = walk(values, s, tile_masses, word, 0, measure, PLAIN)
            kept = finite
    if TRUNCATES:
        tl.store(work.slow + s, 1 - certain.to(tl.int32))
    if certain:
        sampling = tl.where(status == 0, probability(y, total.to(tl.float64)), 0.0)
        write_row(logits, work, out, s, raw_peak, Answer(status, token, sampling, kept))

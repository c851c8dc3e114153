"""The exact way for rows whose boundary is not among their candidates: a full pass over the GPU, then one program.

`split` sums what lies above the guessed keys and lists what lies between them. `finish` narrows that list around the
boundary until it can be sorted. If the guess was wrong, or the list too short for it, it does the splitting again
itself, over the whole row: slow, and as exact.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from ..row.keys import ALL, sort
from ..row.mass import INFINITY, probability, random_word, target_of
from ..row.tiles import WIDEST, num_tiles, row_max, row_sum
from . import limits
from .answers import Answer, write_row
from .draw import walk
from .guess import SAMPLE, guess
from .measure import Measure, weight_of
from .split import CHUNK, list_of, mass_below, split_again, split_weights
from .values import Values

SORTABLE = tl.constexpr(limits.SORTABLE)
LOG_SORTABLE = tl.constexpr(limits.SORTABLE.bit_length() - 1)


class Goal(NamedTuple):
    """Which boundary is looked for: the first key where the weight from the row's first key on reaches `wanted`."""

    wanted: Any  # uint64
    by_count: Any  # whether the weight is a number of tokens, else it is mass


class Split(NamedTuple):
    """What is known of a split at keys low and high."""

    low: Any
    high: Any
    above: Any  # weight from `high` on
    inside: Any  # and from `low` to `high`
    count: Any  # keys from `low` to `high`


@triton.jit
def next_keys(listed, stored, split, least, most, goal, measure, doubts):
    """Where to split next, and what is known: the boundary lies from `least` to `most`.

    Of the keys inside the last split, `stored` are listed. doubts: as `guess` has them.
    """
    low = split.low
    high = split.high
    if goal.wanted <= split.above:
        least = high
        low = high
        high = most
    elif goal.wanted > split.above + split.inside:
        most = low
        high = low
        low = least
    else:
        least = low
        most = high
        rank = tl.arange(0, SAMPLE)
        keys = tl.load(listed + (rank.to(tl.int64) * stored // SAMPLE))
        unit = tl.where(goal.by_count, 1.0, 1.0 / (1 << 40))
        share = SAMPLE / split.count.to(tl.float32)
        rest = (split.above + split.inside - goal.wanted).to(tl.float32) * unit * share
        guess_low, guess_high = guess(keys, goal.by_count, measure, rest, doubts)
        low = tl.maximum(low, guess_low)
        high = tl.minimum(high, guess_high)
    return low, high, least, most


@triton.jit
def split_list(listed, n, low, high, by_count, measure, room):
    """Of the n listed keys: the weights from `high` on and from `low` to `high`, and the number of the latter.

    Those go behind the list, as far as there is room for them.
    """
    above = tl.full((), 0, tl.uint64)
    inside = tl.full((), 0, tl.uint64)
    count = 0
    tl.debug_barrier()
    for i in range(0, n, CHUNK):
        at = i + tl.arange(0, CHUNK)
        keys = tl.load(listed + at, mask=at < n, other=0)
        weight = weight_of(keys, by_count, measure)
        chosen = (keys >= low) & (keys < high) & (keys != 0)
        flags = chosen.to(tl.int32)
        above += tl.sum(tl.where(keys >= high, weight, 0))
        inside += tl.sum(tl.where(chosen, weight, 0))
        places = count + tl.cumsum(flags) - 1
        tl.store(listed + room + places, keys, mask=chosen & (places < 2 * SORTABLE))
        count += tl.sum(flags)
    tl.debug_barrier()
    return above, inside, count


@triton.jit
def find(values, work, s, low, high, goal, measure, room, PLAIN: tl.constexpr):
    """The boundary of row s that the goal describes.

    low, high: of the row's last split. Gives these two as well, of the split that it ends with: the boundary lies
    between them, and all keys there are listed.
    """
    tiles = num_tiles(values.logits)
    wanted, by_count = goal.wanted, goal.by_count
    listed = list_of(work, s, room)
    least = tl.full((), 0, tl.uint64)
    most = tl.full((), ALL, tl.uint64)
    if (tl.load(work.num_inside + s) > room) & (by_count == 0):
        split_again(values, work, s, low, high, measure, room, PLAIN)
    above, inside, count = split_weights(work, s, tiles, by_count, measure, room)
    row_low = low + 0
    row_high = high + 0
    # First the row is split, until a list holds the boundary; then that list of n keys, under `upper` of weight.
    # (None of these begins as another name of one that changes: Triton might not carry it from round to round.)
    n = 0
    upper = tl.full((), 0, tl.uint64)
    begin = 0
    stored = tl.minimum(count, room)
    doubts = 0.0
    right = (wanted > above) & (wanted <= above + inside)
    while (count > SORTABLE) | (right == 0):
        if (n == 0) & (count <= room) & right:
            n = count
            upper = above
            row_low = low
            row_high = high
        # After a wrong guess, −1, there is doubt about all of the next, which then is the middle of the sample.
        doubt = tl.where(doubts < 0, INFINITY, tl.where(n == 0, 3.5, 2.0))
        doubts = tl.where(right, doubt, tl.where(doubts > 0, -1.0, 0.0))
        low, high, least, most = next_keys(
            listed + begin, stored, Split(low, high, above, inside, count), least, most, goal, measure, doubts
        )
        if n == 0:
            split_again(values, work, s, low, high, measure, room, PLAIN)
            above, inside, count = split_weights(work, s, tiles, by_count, measure, room)
            row_low = low
            row_high = high
            stored = tl.minimum(count, room)
        else:
            above, inside, count = split_list(listed, n, low, high, by_count, measure, room)
            above += upper
            begin = room
            stored = tl.minimum(count, 2 * SORTABLE)
        right = (wanted > above) & (wanted <= above + inside)
    rank = tl.arange(0, SORTABLE)
    keys = sort(tl.load(listed + begin + rank, mask=rank < count, other=0), LOG_SORTABLE, True)
    running = above + tl.cumsum(weight_of(keys, by_count, measure))
    place = tl.sum((running < wanted).to(tl.int32))
    return tl.sum(tl.where(rank == place, keys, 0)), row_low, row_high


@triton.jit
def kept_masses(work, s, tiles, boundary, measure, room):
    """The kept mass of each tile [WIDEST] and the number kept, for a boundary between the keys of the last split.

    What a tile has from `low` on is kept, but for those of its listed keys that are below the boundary. These lie
    together, so their mass is a difference of two running sums, which are written over the list.
    """
    listed = list_of(work, s, room)
    n = tl.load(work.num_inside + s)
    sum_before = tl.full((), 0, tl.uint64)
    count = row_sum(work.from_count, s, tiles)
    for i in range(0, n, CHUNK):
        at = i + tl.arange(0, CHUNK)
        keys = tl.load(listed + at, mask=at < n, other=0)
        lost = (keys < boundary) & (keys != 0)
        each = tl.where(lost, weight_of(keys, False, measure), 0)
        tl.debug_barrier()
        tl.store(listed + at, sum_before + tl.cumsum(each), mask=at < n)
        sum_before += tl.sum(each)
        count -= tl.sum(lost.to(tl.int32))
    tl.debug_barrier()
    tile = tl.arange(0, WIDEST)
    here = tile < tiles
    first = tl.load(work.inside_first + s * tiles + tile, mask=here, other=0)
    last = first + tl.load(work.inside_count + s * tiles + tile, mask=here, other=0)
    masses = tl.load(work.from_mass + s * tiles + tile, mask=here, other=0)
    masses -= tl.load(listed + last - 1, mask=here & (last > first), other=0)
    masses += tl.load(listed + first - 1, mask=here & (last > first) & (first > 0), other=0)
    return masses, count


@triton.jit(do_not_specialize=["given"])
def finish(logits, draws, changes, work, out, given, room, PLAIN: tl.constexpr):
    """Grid S. Finds the boundary of a row that `choose` left, top-k's and then top-p's, and draws."""
    s = tl.program_id(0).to(tl.int64)
    if tl.load(work.slow + s) != 0:
        values = Values(logits, changes, given)
        tiles = num_tiles(logits)
        measure = Measure(row_max(work.tile_peak, s, tiles, WIDEST), tl.load(work.scale + s))
        k = tl.load(work.top_k + s)
        top_p = tl.load(work.top_p + s).to(tl.uint64)
        low = tl.load(work.low + s)
        high = tl.load(work.high + s)
        boundary = tl.full((), 0, tl.uint64)
        for phase in range(2):  # top-k by numbers, then top-p by masses
            wanted = k.to(tl.uint64)
            if phase == 1:
                whole = row_sum(work.tile_mass, s, tiles)
                if k > 0:
                    n = tl.load(work.num_inside + s)
                    lost = mass_below(list_of(work, s, room), n, boundary, measure)
                    whole = row_sum(work.from_mass, s, tiles) - lost
                wanted = tl.where(top_p > 0, target_of(top_p, whole), 0)
            if wanted > 0:
                goal = Goal(wanted, by_count=phase == 0)
                boundary, low, high = find(values, work, s, low, high, goal, measure, room, PLAIN)
        boundary = tl.maximum(boundary, tl.load(work.floor + s))
        if (boundary < low) | (boundary > high):
            split_again(values, work, s, boundary, boundary, measure, room, PLAIN)
        masses, kept = kept_masses(work, s, tiles, boundary, measure, room)
        word = random_word(tl.load(draws.seed + s), tl.load(work.stream + s), tl.load(draws.position + s))
        token, y, total = walk(values, s, masses, word, boundary, measure, PLAIN)
        raw_peak = row_max(work.raw_peak, s, tiles, WIDEST)
        sampling = probability(y, total.to(tl.float64))
        write_row(logits, work, out, s, raw_peak, Answer(0, token, sampling, kept))

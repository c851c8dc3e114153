"""Far tails: tokens so rare that random numbers of 24 or 32 bits would miss most of them or favour some."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.sampling import WIDTHS, Case, params_of, run

from genlib.ops import reference_mass as reference
from genlib.ops.buffers import RowParams

Words = npt.NDArray[np.uint64]
DRAWS = 4_000_000
SEED = 20
Z_LIMIT = 4.75
# By the logit gap to the head: as many tail tokens as hold about 3e-4 of the mass together, up to a row's most.
TAILS = {14: 350, 16: 2_600, 18: 19_000, 20: 142_000, 22: (1 << 20) - 1}


@functools.cache
def words() -> Words:
    """The 64 random bits of positions 0 to DRAWS - 1: Philox-4x32-10 once more, over arrays."""
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    zero = np.zeros(DRAWS, np.uint64)
    a, b, c, d = np.arange(DRAWS, dtype=np.uint64), zero, zero, zero
    k0, k1 = SEED, 0
    for _ in range(10):
        u, v = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, b, c, d = (v >> half) ^ b ^ np.uint64(k0), v & low, (u >> half) ^ d ^ np.uint64(k1), u & low
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return b << half | a


def drawn_at(row: Any, positions: Any) -> Any:
    one, n = params_of([Case(seed=SEED)], len(row)), len(positions)
    shared = {name: getattr(one, name) for name in ("masks", "edit_token", "edit_bias", "edit_seen")}
    columns = {name: np.repeat(getattr(one, name), n) for name in RowParams.__dataclass_fields__.keys() - shared.keys()}
    params = RowParams(**columns | {"position": positions}, **shared)
    return run(WIDTHS[0], np.broadcast_to(row, (n, len(row))), params).token


def exact(word: int, tail: int, rare: int) -> int:
    """The token by Python's integers: `tail` tokens of mass `rare`, then the head."""
    return min((word * (tail * rare + reference.PEAK_MASS) >> 64) // rare, tail)


def test_the_words_are_the_sampler_s() -> None:
    assert all(reference.random_word(SEED, 0, p) == int(words()[p]) for p in (0, 1, 77, DRAWS - 1))


@pytest.mark.parametrize("gap", TAILS)
def test_far_tails_are_drawn_as_often_as_they_should(gap: int) -> None:
    """Four million draws, of which about 1,200 fall into the tail.

    A tail is all of one mass and lies before the head, so that its draws are those with the smallest words: only these
    are made by the sampler, beside two thousand others that must give the head; the words come from an independent
    Philox. Their number is compared with a softmax in float64 (Poisson: the square root has a deviation of 1/2).

    The number alone would not see a word of few bits, since a tail of many tokens is made of whole steps of 2^-24 or
    2^-32 anyway; which of its tokens are drawn does. A tail token has 2^-20.2 (gap 14) to 2^-31.7 (gap 22) of the mass.
    With 24 bits at most one in four could be drawn at all from gap 18 on; with 32 bits some would be twice as likely as
    others at 22. So the tokens must be those of the whole words, and the test makes sure that there are draws, enough
    of them, which shorter words would have given other tokens: with 24 bits at every gap, with 32 from 20 on.
    """
    tail = TAILS[gap]
    row = np.zeros(tail + 1, np.float32)
    row[tail] = gap
    rare = int(reference.masses(reference.exponents(row[:1], row[tail], reference.MODEL_SCALE))[0])
    total = tail * rare + reference.PEAK_MASS
    hits = np.flatnonzero(words() <= np.uint64((tail * rare << 64) // total))
    others = np.setdiff1d(np.arange(2_000), hits)
    assert np.all(drawn_at(row, others) == tail)
    tokens = drawn_at(row, hits)
    in_tail = int(np.count_nonzero(tokens < tail))

    weight = tail * np.exp(-float(gap))
    expected = DRAWS * weight / (1 + weight)
    assert expected > 1_000
    assert abs(2 * (np.sqrt(in_tail + 0.375) - np.sqrt(expected + 0.125))) < Z_LIMIT

    at = [int(word) for word in words()[hits]]
    assert tokens.tolist() == [exact(word, tail, rare) for word in at]
    for bits, least in ((24, 25), (32, 40 if gap >= 20 else 0)):
        shorter = [exact(word >> (64 - bits) << (64 - bits), tail, rare) for word in at]
        assert np.count_nonzero(tokens != shorter) >= least, f"{bits} bits would do"

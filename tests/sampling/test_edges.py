"""The sampler where one unit decides: targets, draws and ranks that fall exactly on a token's edge, and rows whose
regular sample misleads, so that the boundary is looked for in the wrong place first."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from support.sampling import WIDTHS, Case, assert_same, check, params_of, run

from genlib.ops import reference_mass as reference

UNIT = reference.LOG2_E  # the temperature at which y = x - peak


def test_top_p_on_the_edge_of_a_token() -> None:
    """The thresholds around the mass of a prefix: below, it is enough; above, the next token is needed, however
    little it is (the exact target is a fraction of one unit above the prefix, and rounded up)."""
    rng, V, fractions = np.random.default_rng(2), 257, 0
    for _ in range(150):
        row = np.append(rng.uniform(-25, -0.5, V - 1), 0).astype(np.float32)
        mass = reference.masses(reference.exponents(row, np.float32(0), reference.MODEL_SCALE))
        prefix = [int(m) for m in np.cumsum(mass[np.argsort(-row, kind="stable")])]
        total = prefix[-1]
        near = [m for m in prefix if 0 < -m * 2**32 % total < 2**32]
        fractions += len(near)
        lower = [m * 2**32 // total for m in [*near, *prefix[:3]]]
        params = params_of([Case()] * (2 * len(lower)), V)
        params.top_p[:] = lower + [p + 1 for p in lower]
        logits = np.broadcast_to(row, (len(params.top_p), V))
        expected = run("reference", logits, params)
        enough = [next(n for n, m in enumerate(prefix, 1) if m * 2**32 >= p * total) for p in params.top_p.tolist()]
        assert expected.num_kept.tolist() == enough
        for width in WIDTHS:
            assert_same(run(width, logits, params), expected, width)
    assert fractions > 5


def value_of_mass(mass: int) -> np.float32:
    """A logit whose mass is exactly this, beside a logit 0 at UNIT."""
    near = np.float32(np.log2(mass / reference.PEAK_MASS))
    around = near + np.arange(-200, 200, dtype=np.float32) * np.spacing(near)
    return around[np.flatnonzero(reference.masses(around) == mass)[0]]


def test_a_draw_on_the_edge_of_a_token() -> None:
    """r equal to the running mass belongs to the next token, r one below it to this one."""
    n = 1_000_000
    rare = np.array([[-17, 0]], np.float32)
    params = params_of([Case(UNIT)], 2)
    columns = {f.name: np.repeat(getattr(params, f.name), n) for f in dataclasses.fields(params) if f.name != "masks"}
    columns["position"] = np.arange(n)
    many = run(WIDTHS[0], np.broadcast_to(rare, (n, 2)), type(params)(**columns, masks=params.masks))
    hits = np.flatnonzero(many.token == 0)
    assert len(hits) > 2
    for position in hits[:3].tolist():
        word = reference.random_word(0, 0, position)
        r = word * reference.PEAK_MASS // (2**64 - word)
        first = np.float32(np.log2((r - 12) / reference.PEAK_MASS))
        got = []
        for extra in range(30):
            second = value_of_mass(extra + 1)
            row = np.array([[first, second, 0]], np.float32)  # the sum of all is about PEAK_MASS + r
            masses = reference.masses(row[0])
            exact = word * int(masses.sum()) >> 64
            token = check(row, [Case(UNIT, position=position)]).token[0]
            assert token == np.flatnonzero(np.cumsum(masses) > exact)[0]
            got.append((token, int(masses[:2].sum()) - exact))
        assert (2, 0) in got
        assert (1, 1) in got


@pytest.mark.parametrize("inside", ["low", "high", "middle", "same"])
def test_rows_whose_sample_misleads(inside: str) -> None:
    """Every 128th run of sixteen values, which is what a row of 8192 is judged by, differs from all others. Some of
    these ranks are just the number of values above the guess."""
    rng, V = np.random.default_rng(4), 8192
    row = rng.standard_normal(V).astype(np.float32)
    sampled = np.arange(V) % 128 < 16
    move: dict[str, npt.NDArray[np.float32]] = {
        "low": row - 4,
        "high": row + 4,
        "middle": row * np.float32(0.01),
        "same": np.full(V, 0.5, np.float32),
    }
    row = np.where(sampled, move[inside], row)
    ks = [
        3,
        100,
        1023,
        1024,
        1025,
        *range(3990, 4050),
        *range(7100, 8130, 23),
        *range(8130, 8192),
        *range(890, 1130, 7),
    ]
    cases = [Case(top_k=k, seed=k) for k in ks]
    cases += [Case(0.7, top_p=p, top_k=k) for p in (0.02, 0.1, 0.5, 0.9, 0.99) for k in (0, 1500, 8000)]
    check(np.broadcast_to(row, (len(cases), V)), cases)


def test_a_min_p_that_every_value_reaches() -> None:
    """The least scale and a min_p far below any probability: even the lowest float is kept."""
    row = np.array([[-3.4e38, 0, -1, -np.inf, -2]] * 3, np.float32)
    params = params_of([Case(), Case(top_k=4), Case(top_p=0.999999)], 5)
    params.scale[:] = 2.0**-64
    params.min_p[:] = -1e38
    expected = run("reference", row, params)
    assert expected.num_kept.tolist() == [4, 4, 3]
    for width in WIDTHS:
        assert_same(run(width, row, params), expected, width)


def test_a_forced_token_has_all_the_greedy_probability_if_it_comes_first() -> None:
    """Of equal ones the lowest id; what else the row asks for has nothing left to do. Scores rely on this."""
    row = np.array([0.0, -0.0, 3.0, -np.inf, 3.0, np.nan, 2.5], np.float32)
    cases = [Case(0, forced=v, top_k=2, top_p=0.5) for v in range(len(row))]
    out = check(np.tile(row, (len(row), 1)), cases)
    assert out.sampling_probability.tolist() == [0, 0, 1, 0, 0, 0, 0]
    assert out.token.tolist() == list(range(len(row)))
    zeros = check(np.tile(row[:2], (2, 1)), [Case(0, forced=0), Case(0, forced=1)])
    assert zeros.sampling_probability.tolist() == [1, 0]

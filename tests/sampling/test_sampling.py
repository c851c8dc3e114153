"""The sampler's contract: every vector width equals the reference bit for bit, and the reference equals arithmetic."""

from __future__ import annotations

import dataclasses
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sampling import (
    NEXT_TO_ONE,
    WIDTHS,
    Case,
    adversarial_rows,
    assert_same,
    check,
    new_drawn,
    params_of,
    random_case,
    run,
)

from genlib.ops import reference_mass as reference
from genlib.ops import rows


@pytest.mark.parametrize("V", [2, 3, 16, 17, 31, 509, 513, 997, 4099, 8192, 20011])
def test_widths_equal_the_reference_on_adversarial_rows(V: int) -> None:
    rng = np.random.default_rng(V)
    for row in adversarial_rows(V, rng).values():
        cases = [random_case(rng, V) for _ in range(40 if V < 5000 else 12)]
        check(np.tile(row, (len(cases), 1)), cases)


def test_widths_equal_the_reference_at_full_size() -> None:
    rng, V = np.random.default_rng(1), 128256
    rows = adversarial_rows(V, rng)
    for name in ("normal", "wide", "coarse", "all equal", "zipf", "zipf shuffled", "peaked", "some NaN"):
        cases = [dataclasses.replace(random_case(rng, V), allowed=None, bias={}, seen={}) for _ in range(6)]
        cases += [random_case(rng, V)]
        cases += [Case(temperature=0.8, top_p=0.95, seed=3), Case(top_k=50, top_p=0.9), Case(temperature=0.8, seed=9)]
        check(np.tile(rows[name], (len(cases), 1)), cases, threads=2)


cases_of_31 = st.builds(
    Case,
    temperature=st.one_of(st.just(0.0), st.floats(1e-6, 1e4)),
    top_k=st.integers(0, 40),
    top_p=st.floats(0, 1, exclude_min=True),
    min_p=st.floats(0, 1),
    seed=st.integers(0, 2**64 - 1),
    stream=st.integers(0, 2**64 - 1),
    position=st.integers(0, 2**63 - 1),
    forced=st.integers(-1, 30),
    allowed=st.one_of(st.none(), st.lists(st.integers(0, 30), unique=True).map(tuple)),
    top_n=st.integers(0, 40),
    repetition=st.one_of(st.just(1.0), st.floats(2.0**-64, 2.0**64, width=32)),
    presence=st.one_of(st.just(0.0), st.floats(-(2.0**64), 2.0**64, width=32)),
    frequency=st.one_of(st.just(0.0), st.floats(-(2.0**64), 2.0**64, width=32)),
    bias=st.dictionaries(st.integers(0, 30), st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=5),
    seen=st.dictionaries(st.integers(0, 30), st.integers(0, 2**31 - 1), max_size=5),
)
any_logit = st.one_of(
    st.floats(-30, 30, width=32), st.floats(width=32), st.sampled_from([0.0, -0.0, 1.0, 1.0000001, -np.inf])
)


@settings(max_examples=200, deadline=None)
@given(st.lists(any_logit, min_size=31, max_size=31), st.lists(cases_of_31, min_size=1, max_size=4))
def test_widths_equal_the_reference_on_anything(row: list[float], cases: list[Case]) -> None:
    check(np.tile(np.array(row, np.float32), (len(cases), 1)), cases)


def single(x: float) -> float:
    return struct.unpack("f", struct.pack("f", x))[0]


def plain_mass(x: float, peak: float, scale: float) -> int:
    """Products and sums of two float32 are rounded twice here, through float64, which changes nothing."""
    y = single(single(x - peak) * scale)
    if y < -60:
        return 0
    n = round(y)
    f = single(y - n)
    p = 0.0
    for c in reversed(reference.COEFFICIENTS.tolist()):
        p = single(single(p * f) + c)
    numerator, denominator = p.as_integer_ratio()
    return (numerator << 40) // (denominator << -n)


def plain_row(row: list[float], case: Case) -> tuple[int, list[int]]:
    """Token and kept ids by Python's integers, sort and loops. For rows without edits, with a finite, allowed logit,
    at T > 0."""
    allowed = range(len(row)) if case.allowed is None else case.allowed
    finite = [v for v in allowed if row[v] > -math.inf]
    peak = max(row[v] for v in finite)
    scale = single(math.log2(math.e) / case.temperature)
    mass = {v: plain_mass(row[v], peak, scale) for v in finite}
    kept = sorted(finite, key=lambda v: (-row[v], v))[: case.top_k or None]
    if case.top_p < 1:
        P = max(1, math.floor(case.top_p * 2**32))
        target = max(1, -(-P * sum(mass[v] for v in kept) // 2**32))
        n = 1
        while sum(mass[v] for v in kept[:n]) < target:
            n += 1
        kept = kept[:n]
    if case.min_p > 0:
        kept = [v for v in kept if single(single(row[v] - peak) * scale) >= single(math.log2(case.min_p))]
    r = reference.random_word(case.seed, case.stream, case.position) * sum(mass[v] for v in kept) >> 64
    running, token = 0, -1
    for v in sorted(kept):
        running += mass[v]
        if running > r:
            token = v
            break
    return token, sorted(kept)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-30, 30, width=32) | st.sampled_from([0.0, -0.0, 1.0]), min_size=31, max_size=31), cases_of_31
)
def test_reference_equals_plain_integers(row: list[float], case: Case) -> None:
    case = dataclasses.replace(case, forced=-1, temperature=case.temperature or 1.0, allowed=case.allowed or None)
    case = dataclasses.replace(case, bias={}, seen={})
    token, kept = plain_row(row, case)
    logits = np.array([row], np.float32)
    out = run("reference", logits, params_of([case], 31))
    assert (out.token[0], out.num_kept[0], out.status[0]) == (token, len(kept), 0)
    forced = run(
        "reference", np.tile(logits, (31, 1)), params_of([dataclasses.replace(case, forced=v) for v in range(31)], 31)
    )
    assert set(np.flatnonzero(forced.sampling_probability)) <= set(kept)


def test_masses_are_exp_at_a_scale_of_root_two_times_two_to_the_forty() -> None:
    y = np.linspace(-45, 0, 400_001).astype(np.float32)
    exact = np.exp2(y.astype(np.float64) + 0.5) * 2.0**40
    got = reference.masses(y)
    assert np.all(np.abs(got - exact) <= 2.5e-7 * exact + 1)
    assert got[-1] == reference.PEAK_MASS
    assert np.all(got[y < -40.5] == 0)
    assert np.all(reference.masses(np.array([-40.5, -np.inf, np.nan, -1e30], np.float32)) == [1, 0, 0, 0])


def test_natural_log() -> None:
    q = [1.0, math.nextafter(1, 2), 1.5, math.sqrt(2), 2.0, 3e5, 2.0**40, *np.exp(np.linspace(0, 14, 997)).tolist()]
    assert all(abs(reference.natural_log(x) - math.log(x)) <= 4e-16 * max(math.log(x), 1e-30) * 2 for x in q)


@pytest.mark.parametrize("name", ["normal", "wide", "peaked", "zipf shuffled", "coarse", "some NaN", "some -inf"])
def test_probabilities_are_the_softmax(name: str) -> None:
    V = 997
    row = adversarial_rows(V, np.random.default_rng(5))[name]
    case = Case(temperature=0.7, top_p=0.9, top_k=500)
    logits, params = np.tile(row, (V, 1)), params_of([dataclasses.replace(case, forced=v) for v in range(V)], V)
    out = run(WIDTHS[0], logits, params)
    x = np.where(np.isnan(row), -np.inf, row).astype(np.float64)
    exact = (x - x.max()) - np.log(np.exp(x - x.max()).sum())
    finite = exact > -np.inf
    # The float32 result is rounded once; the masses' sum is right to 3e-7, and y to two roundings.
    assert np.all(np.abs(out.logprob[finite] - exact[finite]) <= 4e-7 + 6e-8 * np.abs(exact[finite]))
    assert np.all(out.logprob[~finite] == -np.inf)
    assert np.all(out.logprob <= 0)
    np.testing.assert_allclose(out.probability, np.exp(exact), rtol=1e-5, atol=0)
    assert abs(out.probability.sum(dtype=np.float64) - 1) < 1e-6
    assert abs(out.sampling_probability.sum(dtype=np.float64) - 1) < 1e-6
    assert np.all(np.count_nonzero(out.sampling_probability) == out.num_kept)
    tempered = np.where(out.sampling_probability > 0, x / 0.7, -np.inf)
    expected = np.exp(tempered - tempered.max())
    np.testing.assert_allclose(out.sampling_probability, expected / expected.sum(), rtol=1e-5, atol=0)


def test_kept_tokens_by_hand() -> None:
    """Ten equal tokens: 9 of them hold 0.9, the lowest ids first; 2 of 4 hold a half; top-k keeps exactly k."""
    for V, case, number in (
        (10, Case(top_p=0.9), 9),
        (4, Case(top_p=0.5), 2),
        (10, Case(top_p=1e-12), 1),
        (10, Case(top_k=3), 3),
        (10, Case(top_k=5, top_p=0.5), 3),
        (10, Case(min_p=1.0), 10),
    ):
        cases = [dataclasses.replace(case, forced=v) for v in range(V)]
        out = check(np.zeros((V, V), np.float32), cases)
        assert np.array_equal(out.sampling_probability > 0, np.arange(V) < number)
        assert np.all(out.num_kept == number)
    logits = np.log(np.array([[0.4, 0.3, 0.2, 0.1]], np.float32))
    assert check(logits, [Case(top_p=0.9, min_p=0.6)]).num_kept[0] == 2
    assert check(logits, [Case(temperature=0.5, min_p=0.6)]).num_kept[0] == 1


def test_greedy_takes_the_lowest_id_of_the_largest() -> None:
    row = np.array([[-1, -0.0, 0.0, -2, np.nan, -np.inf, 0.0]], np.float32)
    out = check(np.repeat(row, 3, 0), [Case(0), Case(0, allowed=(3, 2, 6, 4)), Case(0, allowed=(0, 3), forced=3)])
    assert out.token.tolist() == [1, 2, 3]
    assert out.sampling_probability.tolist() == [1, 1, 0]
    assert out.num_kept.tolist() == [1, 1, 1]


def test_rows_without_a_result() -> None:
    logits = np.array([[-np.inf] * 3, [np.nan] * 3, [0, np.inf, 0], [0, np.inf, 0], [0, 0, np.nan]], np.float32)
    cases = [Case(), Case(0), Case(), Case(allowed=(0,)), Case(allowed=(2,), forced=0)]
    out = check(logits, cases)
    assert out.status.tolist() == [1, 1, 2, 2, 1]
    assert np.all(out.token == -1)
    assert np.all(out.logprob == -np.inf)
    assert not np.any(out.probability + out.sampling_probability + out.num_kept)


@pytest.mark.parametrize("width", WIDTHS)
def test_rows_do_not_depend_on_company_strides_or_threads(width: str) -> None:
    rng, V = np.random.default_rng(8), 997
    rows = np.stack(list(adversarial_rows(V, rng).values()) * 3)
    cases = [random_case(rng, V) for _ in rows]
    expected = run(width, rows, params_of(cases, V))
    order = rng.permutation(len(rows))
    shuffled = run(width, rows[order], params_of([cases[i] for i in order], V), threads=3)
    back = {f.name: getattr(shuffled, f.name)[np.argsort(order)] for f in dataclasses.fields(shuffled)}
    assert_same(type(shuffled)(**back), expected, "permuted")
    spaced = np.full((len(rows), 2, V + 5), np.nan, np.float32)
    spaced[:, 1, 3:-2] = rows
    assert_same(run(width, spaced[:, 1, 3:-2], params_of(cases, V)), expected, "strided")
    for i in (0, len(rows) // 2):
        alone = run(width, rows[i : i + 1], params_of(cases[i : i + 1], V))
        assert alone.token[0] == expected.token[i]


@pytest.mark.parametrize("width", ["reference", *WIDTHS])
def test_rows_behind_num_sampled_are_left_alone(width: str) -> None:
    logits = np.zeros((3, 5), np.float32)
    out = run(width, logits, params_of([Case()] * 3, 5), num_sampled=1)
    untouched = new_drawn(3)
    for field in dataclasses.fields(out):
        assert np.array_equal(getattr(out, field.name)[1:], getattr(untouched, field.name)[1:], equal_nan=True)
    assert out.status[0] == 0
    assert run(width, logits, params_of([Case()] * 3, 5), num_sampled=0).token[0] == -99


def test_host_constants() -> None:
    assert rows.row_scale(0) == 0
    assert rows.row_scale(1).view(np.uint32) == 0x3FB8AA3B
    assert [rows.row_top_p(p) for p in (1, NEXT_TO_ONE, 0.5, 1e-300)] == [0, 4294966866, 1 << 31, 1]
    assert [rows.row_min_p(p) for p in (0, 0.25, 1)] == [-np.inf, -2, 0]

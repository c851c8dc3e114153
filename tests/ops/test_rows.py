"""Operations on single rows: rms_norm, silu_mul, gather_rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ops import WIDTHS, assert_same_bits, count, cpu, floats, nans

from genlib.ops.reference import ReferenceOps

REFERENCE = ReferenceOps()


def norm(ops, x, residual, weight, eps=1e-5, rows=None):
    out = nans(*x.shape)
    ops.rms_norm(x, residual, weight, eps, out, rows)
    return out


def gate(ops, x, rows=None):
    out = nans(len(x), x.shape[1] // 2)
    ops.silu_mul(x, out, rows)
    return out


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 20),
    size=st.integers(1, 100),
    scale=st.sampled_from([1e-6, 1.0, 1e4]),
    with_residual=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_rms_norm_equals_the_reference(rows, size, scale, with_residual, seed):
    """Six roundings to the result, and a sum of up to 100 squares in another order: below 2e-6."""
    rng = np.random.default_rng(seed)
    x, weight = floats(rng, rows, size) * np.float32(scale), floats(rng, size)
    mine, theirs = (floats(rng, rows, size) if with_residual else None for _ in range(2))
    if with_residual:
        theirs = mine.copy()
    with cpu() as ops:
        np.testing.assert_allclose(norm(ops, x, mine, weight), norm(REFERENCE, x, theirs, weight), rtol=2e-6)
    if with_residual:
        assert_same_bits(mine, theirs)


def test_rms_norm_in_place():
    rng = np.random.default_rng(0)
    x, weight = floats(rng, 5, 40), floats(rng, 40)
    with cpu() as ops:
        expected = norm(ops, x, None, weight)
        ops.rms_norm(x, None, weight, 1e-5, x)
    assert_same_bits(x, expected)


def test_silu_mul_is_accurate_where_float32_can_be():
    """Against float64: e^−|a| errs by 2e-7 at most, sum, quotient and two products by 2⁻²⁴ each."""
    a = np.concatenate([np.linspace(-86, 88, 200_001), np.geomspace(1e-30, 1, 1001), [0.0, -0.0]]).astype(np.float32)
    with cpu() as ops:
        got = gate(ops, np.stack([a, np.ones_like(a)]).reshape(1, -1))[0]
    exact = a.astype(np.float64) / (1 + np.exp(-a.astype(np.float64)))
    np.testing.assert_allclose(got, exact, rtol=4.5e-7, atol=0)


def test_silu_mul_at_the_ends():
    a = np.array([-np.inf, -1e4, -90, 90, 1e30, np.inf, np.nan], np.float32)
    with cpu() as ops:
        got = gate(ops, np.stack([a, np.ones_like(a)]).reshape(1, -1))[0]
    assert np.isnan(got[[0, 6]]).all()  # −inf · 0, as the formula has it
    assert (got[1:3] == 0).all()
    assert (got[3:6] == a[3:6]).all()


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(0, 20), size=st.integers(1, 70), seed=st.integers(0, 2**32 - 1))
def test_silu_mul_equals_the_reference(rows, size, seed):
    x = floats(np.random.default_rng(seed), rows, 2 * size) * np.float32(10)
    with cpu() as ops:
        np.testing.assert_allclose(gate(ops, x), gate(REFERENCE, x), rtol=1e-6)


@pytest.mark.parametrize("size", [6, 48, 130])
def test_rows_widths_and_threads_give_the_same_bits(size):
    rng = np.random.default_rng(size)
    rows = 300  # enough for several threads
    x, start, weight = floats(rng, rows, size), floats(rng, rows, size), floats(rng, size)
    with cpu() as ops:
        alone = [norm(ops, x[i : i + 1], start[i : i + 1].copy(), weight) for i in range(rows)]
        gated = np.concatenate([gate(ops, x[i : i + 1]) for i in range(rows)])
    for width in WIDTHS:
        for threads in (1, 2, 3):
            with cpu(threads, width) as ops:
                assert_same_bits(norm(ops, x, start.copy(), weight), np.concatenate(alone))
                assert_same_bits(gate(ops, x), gated)


def test_gather_rows():
    rng = np.random.default_rng(1)
    x, index = floats(rng, 12, 7), rng.integers(0, 12, 30).astype(np.int32)
    with cpu() as ops:
        out = nans(30, 7)
        ops.gather_rows(x, index, out)
        assert_same_bits(out, x[index])
        with pytest.raises(ValueError, match=r"`index\[0\]` must be from 0 to 11, got 12"):
            ops.gather_rows(x, np.array([12], np.int32), out)


def test_only_live_rows_are_touched():
    x = np.ones((6, 8), np.float32)
    x[4:] = np.nan
    weight, start = np.ones(8, np.float32), np.full((6, 8), 5, np.float32)
    with cpu(2) as ops:
        for n in (4, 0):
            out, residual = np.full((6, 8), 7, np.float32), start.copy()
            ops.rms_norm(x, residual, weight, 1e-5, out, count(n))
            assert (out[n:] == 7).all()
            assert (residual[n:] == 5).all()
            assert (residual[:n] == 6).all()
            out = np.full((6, 4), 7, np.float32)
            ops.silu_mul(x, out, count(n))
            assert (out[n:] == 7).all()
            gathered = np.full((6, 8), 7, np.float32)
            ops.gather_rows(x, np.array([0, 1, 2, 3, 99, 99], np.int32), gathered, count(n))
            assert (gathered[n:] == 7).all()

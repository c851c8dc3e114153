"""`linear`, `embed` and `pack`: right within float32's rounding, and the same bits however the rows are grouped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ops import DTYPES, WIDTHS, assert_same_bits, count, cpu, floats, nans, tensor

from genlib.ops.reference import ReferenceOps

# The reference sums float32 in another order: of n products of standard normals, each order errs by about
# √n · 2⁻²⁴ · √n in all; n ≤ 256 here.
TOLERANCE = {"rtol": 1e-5, "atol": 5e-5}


def run(ops, weight, x, rows=None):
    out = nans(len(x), weight.shape[0])
    ops.linear(x, weight, out, rows)
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(1, 70),
    outs=st.lists(st.integers(1, 50), min_size=1, max_size=3),
    rows=st.integers(0, 40),
    biased=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_the_reference(dtype, size, outs, rows, biased, seed):
    rng = np.random.default_rng(seed)
    tensors = [tensor(floats(rng, out, size), dtype) for out in outs]
    bias = [tensor(floats(rng, out), dtype) for out in outs] if biased else []
    x = floats(rng, rows, size)
    reference = ReferenceOps()
    expected = nans(rows, sum(outs))
    reference.linear(x, reference.pack(tensors, bias), expected)
    with cpu(threads=2) as ops:
        np.testing.assert_allclose(run(ops, ops.pack(tensors, bias), x), expected, **TOLERANCE)


@pytest.mark.parametrize("dtype", DTYPES)
def test_is_one_chain_of_fused_multiply_adds_over_k(dtype):
    """Exact: a float64 sum of two terms is rounded once, as a fused multiply-add does, for 24 + 24 bit products
    that differ little in size."""
    rng = np.random.default_rng(1)
    w = tensor(rng.integers(-512, 512, (33, 20)).astype(np.float32) / 64, dtype)
    bias = tensor(floats(rng, 33), "F32")
    x = (rng.integers(-(2**20), 2**20, (3, 20)) / 2**12).astype(np.float32)
    chain = np.zeros((3, 33), np.float32)
    for k in range(20):
        exact = chain.astype(np.float64) + x[:, k, None].astype(np.float64) * w.to_float32()[:, k].astype(np.float64)
        chain = exact.astype(np.float32)
    with cpu() as ops:
        assert_same_bits(run(ops, ops.pack([w], [bias]), x), chain + bias.data)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_is_the_same_alone_in_any_batch_and_any_order(dtype):
    rng = np.random.default_rng(2)
    x = floats(rng, 70, 50)
    with cpu(threads=2) as ops:
        weight = ops.pack([tensor(floats(rng, 300, 50), dtype)], [tensor(floats(rng, 300), dtype)])
        alone = np.concatenate([run(ops, weight, x[i : i + 1]) for i in range(len(x))])
        for n in [*range(2, 41), 70]:
            assert_same_bits(run(ops, weight, x[:n]), alone[:n])
        order = rng.permutation(len(x))
        assert_same_bits(run(ops, weight, x[order]), alone[order])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 12, 13, 40])
def test_widths_and_threads_give_the_same_bits(dtype, rows):
    rng = np.random.default_rng(rows)
    x, w = floats(rng, rows, 37), tensor(floats(rng, 101, 37), dtype)
    results = []
    for width in WIDTHS:
        for threads in (1, 2, 3):
            with cpu(threads, width) as ops:
                results.append(run(ops, ops.pack([w]), x))
    for result in results[1:]:
        assert_same_bits(result, results[0])


def test_many_rows_of_one_panel_are_split_over_threads():
    rng = np.random.default_rng(3)
    x, w = floats(rng, 500, 64), tensor(floats(rng, 20, 64), "BF16")
    with cpu(1) as one, cpu(3) as three:
        assert_same_bits(run(one, one.pack([w]), x), run(three, three.pack([w]), x))


def test_only_live_rows_are_read_and_written():
    rng = np.random.default_rng(4)
    x = floats(rng, 9, 30)
    x[5:] = np.nan
    with cpu(2) as ops:
        weight = ops.pack([tensor(floats(rng, 40, 30))])
        out = np.full((9, 40), 7, np.float32)
        ops.linear(x, weight, out, count(5))
        assert np.isfinite(out[:5]).all()
        assert (out[5:] == 7).all()
        ops.linear(x, weight, out, count(0))
        assert run(ops, weight, floats(rng, 0, 30)).shape == (0, 40)


def all_halves():
    return np.arange(2**16, dtype=np.uint32).astype(np.uint16)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_every_16_bit_value_is_widened_exactly(dtype, width):
    """embed gives all values back; 1 · w through `linear` too, by each width's own conversion. NaNs stay NaNs."""
    bits = tensor(nans(1), dtype).__class__("w", dtype, all_halves().reshape(64, 1024))
    expected = bits.to_float32()
    finite = np.isfinite(expected)
    with cpu(1, width) as ops:
        embedded = nans(64, 1024)
        ops.embed(np.arange(64, dtype=np.int32), ops.pack([bits]), embedded)
        assert (np.isnan(embedded) == np.isnan(expected)).all()
        assert_same_bits(embedded[~np.isnan(expected)], expected[~np.isnan(expected)])
        column = ops.pack([bits.__class__("w", dtype, bits.data.reshape(-1, 1))])
        for rows in (1, 40):  # widened in registers, and once into scratch
            out = run(ops, column, np.ones((rows, 1), np.float32))[-1].reshape(64, 1024)
            assert (out[finite] == expected[finite]).all()
            assert (np.isnan(out) == np.isnan(expected)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_embed_gathers_rows_of_stacked_matrices(dtype):
    rng = np.random.default_rng(5)
    tensors = [tensor(floats(rng, out, 19), dtype) for out in (33, 40, 1)]
    ids = rng.integers(0, 74, 600).astype(np.int32)
    with cpu(2) as ops:
        out = nans(600, 19)
        weight = ops.pack(tensors, [tensor(floats(rng, 74))])
        ops.embed(ids, weight, out)
        assert_same_bits(out, np.concatenate([t.to_float32() for t in tensors])[ids])
        assert weight.shape == (74, 19)


@pytest.mark.parametrize("bad", [-1, 74])
def test_embed_refuses_an_id_out_of_range(bad):
    with cpu() as ops:
        weight = ops.pack([tensor(np.ones((74, 3), np.float32))])
        with pytest.raises(ValueError, match=rf"`ids\[1\]` must be from 0 to 73, got {bad}"):
            ops.embed(np.array([0, bad], np.int32), weight, nans(2, 3))


def test_pack_refuses_what_does_not_fit_together():
    ones = np.ones((3, 4), np.float32)
    with cpu() as ops:
        with pytest.raises(ValueError, match=r"`tensors` must have one dtype, got BF16, F32"):
            ops.pack([tensor(ones), tensor(ones, "BF16")])
        with pytest.raises(ValueError, match=r"`tensors` must have one dtype, got no tensor"):
            ops.pack([])
        with pytest.raises(ValueError, match=r"`tensors` must be .* array \[\*, 4\], got float32 \[4, 3\]"):
            ops.pack([tensor(ones), tensor(ones.T.copy())])
        with pytest.raises(ValueError, match=r"`tensors` must have rows and columns, got float32 \[3, 0\]"):
            ops.pack([tensor(ones[:, :0])])
        with pytest.raises(ValueError, match=r"`bias` must hold 3 numbers, one for each output, got 2"):
            ops.pack([tensor(ones)], [tensor(np.ones(2, np.float32))])

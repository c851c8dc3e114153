"""`rope_write` and `attend`: right, and the same bits however a sequence is cut, placed and accompanied."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ops import WIDTHS, Attention, assert_same_bits, cpu, floats, make_plan, pages_of, random_qkv

from genlib.ops.base import HeadShape
from genlib.ops.reference import ReferenceOps

# Scores are sums of D products (two orders: about 1e-6 apart for D ≤ 128), the weights err as much relatively, and
# the outputs are averages of standard normals.
TOLERANCE = {"rtol": 1e-4, "atol": 2e-5}
EDGES = [1, 15, 16, 17, 255, 256, 257, 600]
MOST = 640  # positions


def prefill(ops, shape, lengths, qkv, tables, norms=None):
    attention = Attention(ops, shape, int(np.max(tables)) + 1, MOST)
    return attention.step(qkv, make_plan([(0, n) for n in lengths], tables), norms=norms)


def tables_for(sequences, rng=None):
    ids = np.arange(sequences * pages_of(MOST))
    return (ids if rng is None else rng.permutation(len(ids) + 9)[: len(ids)]).reshape(sequences, -1)


@pytest.mark.parametrize(
    ("heads", "kv_heads", "head_size"),
    [(1, 1, 64), (4, 2, 32), (9, 3, 64), (8, 1, 80), (5, 1, 96), (6, 1, 128), (7, 7, 20), (3, 1, 2), (50, 2, 6)],
)
def test_equals_the_reference(heads, kv_heads, head_size):
    """Lengths around the page and the chunk, groups of 1 to 25, head sizes that are no multiple of a vector."""
    rng = np.random.default_rng(head_size)
    shape = HeadShape(1, heads, kv_heads, head_size)
    lengths = [270, 17, 1, 16]
    qkv, tables = random_qkv(rng, sum(lengths), shape), tables_for(4, rng)
    norms = (floats(rng, head_size), floats(rng, head_size))
    with cpu(2) as ops:
        got = prefill(ops, shape, lengths, qkv, tables, norms)
    np.testing.assert_allclose(got, prefill(ReferenceOps(), shape, lengths, qkv, tables, norms), **TOLERANCE)


@pytest.mark.parametrize("layer", [0, 2])
def test_layers_do_not_touch_each_other(layer):
    rng = np.random.default_rng(layer)
    shape = HeadShape(3, 4, 2, 32)
    qkv, plan = random_qkv(rng, 20, shape), make_plan([(0, 20)], [[3, 1]])
    with cpu() as ops:
        attention, reference = (Attention(o, shape, 5, MOST) for o in (ops, ReferenceOps()))
        others = [attention.step(random_qkv(rng, 20, shape), plan, i) for i in range(3) if i != layer]
        assert all(np.isfinite(other).all() for other in others)
        np.testing.assert_allclose(attention.step(qkv, plan, layer), reference.step(qkv, plan, layer), **TOLERANCE)


@pytest.mark.parametrize("chunk", [1, 7, 250])
def test_chunked_prefill_gives_the_same_bits(chunk):
    rng = np.random.default_rng(chunk)
    shape = HeadShape(1, 6, 2, 32)
    qkv, tables = random_qkv(rng, 600, shape), tables_for(1)
    with cpu(2) as ops:
        whole = prefill(ops, shape, [600], qkv, tables)
        attention = Attention(ops, shape, 50, MOST)
        for first in range(0, 600, chunk):
            last = min(first + chunk, 600)
            part = attention.step(qkv[first:last].copy(), make_plan([(first, last)], tables))
            assert_same_bits(part, whole[first:last])


@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_any_company_any_pages_any_chunks(data, seed):
    """Sequences that run together, in random pages and random chunks, each equal the same one alone in order."""
    rng = np.random.default_rng(seed)
    shape = HeadShape(1, *data.draw(st.sampled_from([(2, 2, 16), (3, 1, 32), (8, 1, 8), (30, 1, 4)])))
    lengths = data.draw(st.lists(st.sampled_from(EDGES), min_size=1, max_size=4))
    threads = data.draw(st.integers(1, 3))
    all_qkv = [random_qkv(rng, n, shape) for n in lengths]
    with cpu(threads) as ops:
        alone = [prefill(ops, shape, [n], q, tables_for(1)) for n, q in zip(lengths, all_qkv, strict=True)]
        tables = tables_for(len(lengths), rng)
        attention = Attention(ops, shape, tables.size + 9, MOST)
        done = [0] * len(lengths)
        while done != lengths:
            ends = [data.draw(st.integers(d, n)) for d, n in zip(done, lengths, strict=True)]
            if ends == done:
                ends = lengths
            live = [s for s in range(len(lengths)) if ends[s] > done[s]]
            qkv = np.concatenate([all_qkv[s][done[s] : ends[s]] for s in live])
            out = attention.step(qkv, make_plan([(done[s], ends[s]) for s in live], tables[live], spare=2))
            assert_same_bits(out, np.concatenate([alone[s][done[s] : ends[s]] for s in live]))
            done = ends


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_sequences_that_share_pages_each_equal_themselves_alone(data, seed):
    """Queries whose sequences have pages in common, as beams do: all of them, some, the first few, or none."""
    rng = np.random.default_rng(seed)
    shape = HeadShape(1, *data.draw(st.sampled_from([(2, 2, 16), (6, 2, 32), (8, 1, 8), (30, 1, 4)])))
    trunk = data.draw(st.sampled_from([16, 64, 240, 256, 272, 512]))
    count = data.draw(st.integers(2, 9))
    own = [data.draw(st.integers(1, 70)) for _ in range(count)]
    shared = [data.draw(st.sampled_from([0, 16, trunk // 32 * 16, trunk, trunk])) for _ in range(count)]
    first = random_qkv(rng, trunk, shape)
    queries = [random_qkv(rng, trunk - s + n, shape) for s, n in zip(shared, own, strict=True)]
    tables = np.arange(count * pages_of(MOST)).reshape(count, -1) + pages_of(trunk)
    for table, n in zip(tables, shared, strict=True):
        table[: n // 16] = np.arange(n // 16)
    with cpu(data.draw(st.integers(1, 3))) as ops:
        attention = Attention(ops, shape, int(tables.max()) + 1, MOST)
        attention.step(first, make_plan([(0, trunk)], [np.arange(pages_of(trunk))]))
        alone = []
        for table, qkv, n, s in zip(tables, queries, own, shared, strict=True):
            if len(qkv) > 1:
                attention.step(qkv[:-1].copy(), make_plan([(s, trunk + n - 1)], [table]))
            alone.append(attention.step(qkv[-1:].copy(), make_plan([(trunk + n - 1, trunk + n)], [table])))
        plan = make_plan([(trunk + n - 1, trunk + n) for n in own], tables, spare=2)
        together = attention.step(np.concatenate([qkv[-1:] for qkv in queries]), plan)
        assert_same_bits(together, np.concatenate(alone))


@pytest.mark.parametrize("length", [*EDGES, 5000])
def test_decode_is_the_same_for_any_threads(length):
    """Few rows and many chunks: the positions are split over the threads, in windows, and merged in order."""
    rng = np.random.default_rng(length)
    shape = HeadShape(1, 6, 2, 16)
    pages = pages_of(length)
    results = []
    qkv = random_qkv(rng, length, shape)
    for threads in (1, 2, 3):
        with cpu(threads) as ops:
            attention = Attention(ops, shape, pages, length)
            if length > 1:
                attention.write(qkv[:-1].copy(), make_plan([(0, length - 1)], np.arange(pages)))
            results.append(attention.step(qkv[-1:].copy(), make_plan([(length - 1, length)], np.arange(pages))))
    assert np.isfinite(results[0]).all()
    assert_same_bits(results[1], results[0])
    assert_same_bits(results[2], results[0])


@pytest.mark.parametrize(("heads", "kv_heads", "head_size"), [(2, 1, 6), (3, 3, 20), (7, 1, 48)])
def test_widths_give_the_same_bits(heads, kv_heads, head_size):
    rng = np.random.default_rng(heads)
    shape = HeadShape(1, heads, kv_heads, head_size)
    qkv, tables = random_qkv(rng, 262 + 17, shape), tables_for(2, rng)
    norms = (floats(rng, head_size), floats(rng, head_size))
    results = []
    for width in WIDTHS:
        with cpu(2, width) as ops:
            results.append(prefill(ops, shape, [262, 17], qkv, tables, norms))
    for result in results[1:]:
        assert_same_bits(result, results[0])


def test_a_row_sees_nothing_behind_itself_even_infinities():
    """What later tokens of the same chunk hold, be it inf or NaN, does not reach an earlier query."""
    rng = np.random.default_rng(7)
    shape = HeadShape(1, 2, 1, 16)
    qkv, tables = random_qkv(rng, 40, shape), tables_for(1)
    spoiled = qkv.copy()
    spoiled[25:, 3 * 16 :] = np.inf  # values
    spoiled[30:, 2 * 16 : 3 * 16] = np.nan  # keys
    with cpu() as ops:
        good, bad = prefill(ops, shape, [40], qkv, tables), prefill(ops, shape, [40], spoiled, tables)
    assert_same_bits(good[:25], bad[:25])
    assert not np.isfinite(bad[25:]).any(axis=1).all()


def test_a_nan_of_the_model_is_not_hidden():
    rng = np.random.default_rng(8)
    shape = HeadShape(1, 1, 1, 16)
    qkv = random_qkv(rng, 20, shape)
    qkv[4, 16:32] = np.nan  # one key
    with cpu() as ops:
        out = prefill(ops, shape, [20], qkv, tables_for(1))
    assert np.isfinite(out[:4]).all()
    assert np.isnan(out[4:]).all()


def test_copy_pages_in_order():
    rng = np.random.default_rng(9)
    shape = HeadShape(2, 2, 1, 16)
    qkv = random_qkv(rng, 33, shape)
    with cpu() as ops:
        attention = Attention(ops, shape, 8, MOST)
        expected = attention.step(qkv, make_plan([(0, 33)], [[0, 1, 2]]))
        ops.copy_pages(attention.kv, np.array([[0, 5], [1, 0], [2, 7]], np.int32))
        again = attention.step(qkv[-1:].copy(), make_plan([(32, 33)], [[5, 0, 7]]))
        assert_same_bits(again, expected[-1:])
        with pytest.raises(ValueError, match="`pairs` must hold page ids from 0 to 7, got 8"):
            ops.copy_pages(attention.kv, np.array([[8, 0]], np.int32))


def test_an_empty_step_does_nothing():
    shape = HeadShape(1, 2, 1, 16)
    qkv = random_qkv(np.random.default_rng(0), 0, shape)
    with cpu(2) as ops:
        assert prefill(ops, shape, [], qkv, tables_for(1)).shape == (0, 32)

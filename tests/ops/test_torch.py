"""The operations in torch: near the reference, and the same bits in any company."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ops import DTYPES, Float32, count, floats, make_plan, random_qkv, rope_tables, tensor

from genlib.ops.base import HeadShape
from genlib.ops.reference import ReferenceOps
from genlib.ops.torch import TorchOps

from .test_attention import EDGES, MOST, TOLERANCE, tables_for

NEAR = {"F32": 1e-5, "BF16": 2e-2, "F16": 3e-3}  # activations have the type of the weights


def on_torch(values: Float32, dtype: str = "F32") -> torch.Tensor:
    return torch.from_numpy(values.copy()).to(
        {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}[dtype]
    )


def same_bits(a: torch.Tensor, b: torch.Tensor) -> None:
    assert torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))


class Attention:
    """Pages of NaN, and the two operations on them."""

    def __init__(self, shape: HeadShape, num_pages: int, dtype: str = "F32") -> None:
        self.ops, self.shape, self.dtype = TorchOps(), shape, dtype
        self.ops.pack([tensor(np.zeros((1, 1), np.float32), dtype)])  # which decides the type of the pages
        self.kv = self.ops.new_kv(shape, num_pages)
        self.kv.pages.fill_(float("nan"))
        self.rope = tuple(self.ops.upload(table) for table in rope_tables(MOST, shape.head_size))

    def step(self, qkv: Float32, plan: Any, layer: int = 0, norms: Any = None) -> torch.Tensor:
        width = self.shape.heads * self.shape.head_size
        q, out = (on_torch(np.full((len(qkv), width), np.nan, np.float32), self.dtype) for _ in range(2))
        scales = norms and tuple(on_torch(norm) for norm in norms)
        self.ops.rope_write(on_torch(qkv, self.dtype), scales, 1e-6, self.rope, self.kv, layer, plan, q)
        self.ops.attend(q, self.kv, layer, plan, out)
        return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(1, 7, 5), (64, 192, 100), (65, 576, 33), (150, 100, 64)])
def test_linear(dtype: Any, rows: int, inputs: int, outputs: int) -> None:
    """Near the reference for every type of weight and of output; a row alone has the bits that it has in company."""
    rng = np.random.default_rng(rows)
    ops, reference = TorchOps(), ReferenceOps()
    stacked = [tensor(floats(rng, outputs, inputs) / 16, dtype), tensor(floats(rng, 3, inputs) / 16, dtype)]
    for biases in ([], [tensor(floats(rng, outputs)), tensor(floats(rng, 3))]):
        weight, plain = ops.pack(stacked, biases), reference.pack(stacked, biases)
        x = on_torch(floats(rng, rows + 2, inputs), dtype)
        expected = np.full((rows + 2, outputs + 3), np.nan, np.float32)
        reference.linear(x.float().numpy(), plain, expected, count(rows))
        for result in (dtype, "F32"):
            out = on_torch(np.full(expected.shape, np.nan, np.float32), result)
            ops.linear(x, weight, out, count(rows))
            np.testing.assert_allclose(out.float().numpy(), expected, rtol=NEAR[result], atol=3 * NEAR[result])
            for i in rng.permutation(rows)[:3]:
                alone = out.new_zeros(1, outputs + 3)
                ops.linear(x[i : i + 1], weight, alone)
                same_bits(alone[0], out[i])


def test_what_a_row_is_with() -> None:
    """The other operations on rows: near the reference, nothing behind the live rows, and the same bits alone."""
    rng = np.random.default_rng(1)
    ops, reference = TorchOps(), ReferenceOps()
    n, c = 130, 96
    x, residual, scale = floats(rng, n + 5, c), floats(rng, n + 5, c), floats(rng, c)
    index = rng.integers(0, n, 70).astype(np.int32)
    embedding = [tensor(floats(rng, 40, c), "BF16")]
    packed, plain = ops.pack(embedding), reference.pack(embedding)
    ids = rng.integers(0, 40, n + 5).astype(np.int32)

    def all_of(it: Any, make: Any, weight: Any, rows: Any) -> list[Any]:
        a, r, s = make(x[rows]), make(residual[rows]), make(scale)
        live = count(len(x[rows]) - (5 if len(x[rows]) > 5 else 0))
        outs = [make(np.zeros((len(a), c), np.float32)) for _ in range(3)]
        half, gathered = make(np.zeros((len(a), c // 2), np.float32)), make(np.zeros((len(index), c), np.float32))
        it.rms_norm(a, None, s, 1e-5, outs[0], live)
        it.rms_norm(a, r, s, 1e-5, outs[1], live)
        it.silu_mul(a, half, live)
        it.embed(ids[rows], weight, outs[2], live)
        if len(a) > n:
            it.gather_rows(a, index, gathered)
        return [*outs, r, half, gathered]

    everything = slice(0, n + 5)
    got = all_of(ops, on_torch, packed, everything)
    for a, b in zip(got, all_of(reference, np.copy, plain, everything), strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-5, atol=1e-6)
    for i in (0, 63, 64, 129):
        for a, b in zip(got[:-1], all_of(ops, on_torch, packed, slice(i, i + 1))[:-1], strict=True):
            same_bits(a[i], b[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("heads", "kv_heads", "head_size"), [(4, 2, 32), (9, 3, 64), (8, 1, 80), (5, 1, 96), (6, 1, 128), (2, 1, 256)]
)
def test_attention_is_near_the_reference(dtype: str, heads: int, kv_heads: int, head_size: int) -> None:
    rng = np.random.default_rng(head_size)
    shape = HeadShape(2, heads, kv_heads, head_size)
    lengths = [270, 17, 1, 16]
    qkv, tables = random_qkv(rng, sum(lengths), shape), tables_for(4, rng)
    norms = (floats(rng, head_size), floats(rng, head_size))
    plan = make_plan([(0, n) for n in lengths], tables, spare=2)
    got = Attention(shape, int(tables.max()) + 1, dtype).step(qkv, plan, 1, norms)
    reference, kv = ReferenceOps(), ReferenceOps().new_kv(shape, int(tables.max()) + 1)
    q, expected = (np.zeros((len(qkv), heads * head_size), np.float32) for _ in range(2))
    reference.rope_write(qkv, norms, 1e-6, rope_tables(MOST, head_size), kv, 1, plan, q)
    reference.attend(q, kv, 1, plan, expected)
    loose = TOLERANCE if dtype == "F32" else {"rtol": 10 * NEAR[dtype], "atol": 10 * NEAR[dtype]}
    np.testing.assert_allclose(got.float().numpy(), expected, **loose)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_any_company_any_pages_any_chunks(data: Any, seed: int) -> None:
    """Sequences that run together, in random pages and random chunks, each equal the same one alone in order."""
    rng = np.random.default_rng(seed)
    shape = HeadShape(1, *data.draw(st.sampled_from([(2, 2, 16), (3, 1, 32), (8, 1, 8), (6, 2, 20)])))
    dtype = data.draw(st.sampled_from(DTYPES))
    lengths = data.draw(st.lists(st.sampled_from(EDGES), min_size=1, max_size=4))
    qkvs = [random_qkv(rng, n, shape) for n in lengths]
    tables = tables_for(len(lengths), rng)
    alone = [
        Attention(shape, MOST // 16, dtype).step(qkv, make_plan([(0, n)], tables_for(1)))
        for qkv, n in zip(qkvs, lengths, strict=True)
    ]
    together, done = Attention(shape, int(tables.max()) + 1, dtype), [0] * len(lengths)
    while any(a < b for a, b in zip(done, lengths, strict=True)):
        ends = [min(n, at + int(rng.choice([0, 1, 7, 250]))) for at, n in zip(done, lengths, strict=True)]
        chunks = [(i, at, end) for i, (at, end) in enumerate(zip(done, ends, strict=True)) if end > at]
        if not chunks:
            continue
        qkv = np.concatenate([qkvs[i][at:end] for i, at, end in chunks])
        plan = make_plan([(at, end) for _, at, end in chunks], tables[[i for i, _, _ in chunks]])
        out, first = together.step(qkv, plan), 0
        for i, at, end in chunks:
            same_bits(out[first : first + end - at], alone[i][at:end])
            first += end - at
        done = ends


def test_pages_are_copied_in_order() -> None:
    ops = TorchOps()
    kv = ops.new_kv(HeadShape(2, 1, 1, 4), 3)
    kv.pages.copy_(torch.arange(3.0)[None, :, None, None, None, None].expand_as(kv.pages))
    ops.copy_pages(kv, np.array([[2, 1], [1, 0]], np.int32))
    assert kv.pages[1, :, 0, 0, 0, 0].tolist() == [2, 2, 2]


def test_a_step_is_recorded_and_launched() -> None:
    ops = TorchOps()
    x, out = torch.ones(1, 4), torch.full((1, 2), float("nan"))

    def body() -> None:
        ops.silu_mul(x, out)
        with pytest.raises(RuntimeError, match="already being recorded"):
            ops.record(lambda: None, 1)

    step = ops.record(body, 1)
    assert out.isnan().all()
    x.fill_(0)
    step.launch()
    step.wait()
    assert out.tolist() == [[0, 0]]

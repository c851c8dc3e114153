"""Recorded steps, the checks when an operation is recorded, the team of threads, and the choice of a device."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.ops import (
    WIDTHS,
    Attention,
    available_threads,
    count,
    cpu,
    floats,
    make_plan,
    nans,
    program,
    random_qkv,
    tensor,
)

from genlib.errors import BackendError, InvalidRequest
from genlib.ops import select
from genlib.ops.base import HeadShape
from genlib.ops.buffers import Plan
from genlib.ops.cpu import CpuOps
from genlib.ops.reference import ReferenceOps

SHAPE = HeadShape(1, 4, 2, 16)


def blank_plan(tokens, seqs, pages):
    zeros = lambda *shape: np.zeros(shape, np.int32)  # noqa: E731
    return Plan(
        zeros(1), zeros(1), zeros(1), zeros(1), zeros(tokens), zeros(tokens), zeros(seqs + 1), zeros(seqs),
        zeros(seqs, pages), zeros(seqs),
    )  # fmt: skip


def load_plan(buffers, plan):
    """Writes a step into the buffers, where they stay."""
    for name in Plan.__dataclass_fields__:
        to, values = getattr(buffers, name), getattr(plan, name)
        to[tuple(slice(n) for n in values.shape)] = values


def record_layer(ops, attention, buffers, weights, limit):
    """A layer of its own: projection, attention, projection."""
    (w_in, w_out), shape = weights, attention.shape
    x, qkv = ops.empty((limit, 24), np.float32), ops.empty((limit, 128), np.float32)
    q, o, y = (ops.empty((limit, size), np.float32) for size in (64, 64, 24))

    def body():
        ops.linear(x, w_in, qkv, buffers.num_tokens)
        ops.rope_write(qkv, None, 1e-6, attention.rope, attention.kv, 0, buffers, q)
        ops.attend(q, attention.kv, 0, buffers, o)
        ops.linear(o, w_out, y, buffers.num_tokens)

    assert shape == SHAPE
    return program(ops, body), x, y


@pytest.mark.parametrize("threads", [1, 2])
def test_a_recorded_step_replays_with_changing_counts(threads):
    rng = np.random.default_rng(0)
    tensors = [tensor(floats(rng, 128, 24)), tensor(floats(rng, 24, 64))]
    outputs = []
    with cpu(threads) as ops:
        for implementation in (ops, ReferenceOps()):
            attention = Attention(implementation, SHAPE, 12, 100)
            buffers = blank_plan(50, 3, 4)
            weights = [implementation.pack([t]) for t in tensors]
            step, x, y = record_layer(implementation, attention, buffers, weights, 50)
            chunks = [[(0, 30)], [(30, 31), (0, 17)], [(31, 32), (17, 40), (0, 1)], []]
            results = []
            for i, batch in enumerate(chunks):
                load_plan(buffers, make_plan(batch, np.arange(4 * len(batch))))
                x[:] = floats(np.random.default_rng(i), 50, 24)
                step()
                results.append(y[: buffers.num_tokens[0]].copy())
            outputs.append(np.concatenate(results))
    np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-3)


def test_recording_computes_nothing_and_replaying_sees_new_values():
    with cpu() as ops:
        weight = ops.pack([tensor(np.ones((3, 2), np.float32))])
        x, out = np.zeros((1, 2), np.float32), nans(1, 3)
        step = program(ops, lambda: ops.linear(x, weight, out))
        assert np.isnan(out).all()
        x[:] = [[1, 2]]
        step()
        assert (out == 3).all()


def test_a_step_keeps_what_it_points_into_alive():
    with cpu() as ops:
        kept = []

        def body():
            weight = ops.pack([tensor(np.full((600, 300), 2, np.float32))])
            x = np.ones((5, 300), np.float32)
            kept.append(nans(5, 600))
            ops.linear(x, weight, kept[0], count(5))

        step = program(ops, body)
        rubbish = [np.full((600, 300), 9, np.float32) for _ in range(20)]
        step()
        assert (kept[0] == 600).all()
        assert rubbish[0][0, 0] == 9


def test_a_body_that_raises_ends_the_recording():
    with cpu() as ops:
        x = np.ones((1, 4), np.float32)

        def body():
            ops.silu_mul(x, nans(1, 2))
            raise KeyError("from the body")

        with pytest.raises(KeyError, match="from the body"):
            program(ops, body)
        out = nans(1, 2)
        ops.silu_mul(x, out)  # runs at once again
        assert np.isfinite(out).all()
        with pytest.raises(RuntimeError, match="already being recorded"):
            program(ops, lambda: program(ops, lambda: None))
        program(ops, lambda: None)()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": nans(4, 9)}, r"`x` must be a C-contiguous float32 array \[\*, 8\], got float32 \[4, 9\]"),
        ({"x": nans(4, 8).astype(np.float64)}, r"`x` must be .*, got float64 \[4, 8\]"),
        ({"x": nans(4, 16)[:, ::2]}, r"`x` must be .*, got strided float32 \[4, 8\]"),
        ({"x": [1.0]}, r"`x` must be .*, got <class 'list'>"),
        ({"out": nans(4, 6)}, r"`out` must be .* \[\*, 5\], got float32 \[4, 6\]"),
        ({"rows": np.zeros(2, np.int32)}, r"`rows` must be .* int32 array \[1\], got int32 \[2\]"),
        ({"rows": np.zeros(1, np.int64)}, r"`rows` must be .* int32 array \[1\], got int64 \[1\]"),
        ({"rows": count(5)}, r"from 0 to 4, the rows of the buffers, got 5"),
        ({"rows": count(-1)}, r"from 0 to 4, the rows of the buffers, got -1"),
    ],
)
def test_an_argument_that_does_not_fit_is_named(change, message):
    with cpu() as ops:
        weight = ops.pack([tensor(np.ones((5, 8), np.float32))])
        arguments = {"x": np.ones((4, 8), np.float32), "out": nans(4, 5), "rows": None} | change
        with pytest.raises(ValueError, match=message):
            ops.linear(arguments["x"], weight, arguments["out"], arguments["rows"])


def test_a_read_only_output_is_refused():
    out = nans(1, 2)
    out.flags.writeable = False
    with cpu() as ops, pytest.raises(ValueError, match="`out` is written to, but this array is read-only"):
        ops.silu_mul(np.ones((1, 4), np.float32), out)


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("positions", 3, 999, r"`plan.positions\[3\]` must be from 0 to 31, got 999"),
        ("positions", 0, -1, r"`plan.positions\[0\]` must be from 0 to 31, got -1"),
        ("tables", (0, 1), 12, r"`plan.tables\[0, 1\]` must be from 0 to 11, got 12"),
        ("starts", 1, 19, r"`plan.starts` must end with num_tokens = 20"),
        ("num_seqs", 0, 2, r"from 0 to 1, the rows of the buffers, got 2"),
    ],
)
def test_a_plan_that_leaves_its_buffers_is_refused(name, index, value, message):
    plan = make_plan([(0, 20)], [[0, 1]])
    getattr(plan, name)[index] = value
    with cpu() as ops, pytest.raises(ValueError, match=message):
        Attention(ops, SHAPE, 12, 100).step(random_qkv(np.random.default_rng(0), 20, SHAPE), plan)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (HeadShape(1, 5, 2, 16), "`heads` must be a multiple of `kv_heads`, got 5 and 2"),
        (HeadShape(1, 4, 2, 15), "`head_size` must be even and from 2 to 1024, got 15"),
        (HeadShape(0, 4, 2, 16), "`layers` must be at least 1, got 0"),
    ],
)
def test_a_head_shape_that_cannot_be(shape, message):
    with cpu() as ops:
        with pytest.raises(ValueError, match=message):
            ops.new_kv(shape, 1)
        with pytest.raises(ValueError, match=message):
            ops.kv_bytes(shape)


def test_pages_cost_what_kv_bytes_says_and_only_when_written():
    shape = HeadShape(30, 9, 3, 64)

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    with cpu() as ops:
        assert ops.kv_bytes(shape) == 30 * 2 * 16 * 3 * 64 * 4
        if not Path("/proc/self/statm").exists():
            pytest.skip("needs Linux to see what is resident")
        before = resident()
        kv = ops.new_kv(shape, 1 << 13)  # 6 GB of addresses
        assert kv.num_pages == 1 << 13
        assert resident() - before < 64 << 20


def test_closed_operations_raise():
    ops = CpuOps(2)
    x, out = np.ones((1, 4), np.float32), nans(1, 2)
    step = program(ops, lambda: ops.silu_mul(x, out))
    ops.close()
    ops.close()
    with pytest.raises(ValueError, match="these operations were closed"):
        step()


def test_select():
    ops = select("cpu", threads=2)
    assert (ops.name, ops.runtime.threads, ops.runtime.width) == ("cpu", 2, WIDTHS[0])
    ops.close()
    every = select("cpu")
    assert every.runtime.threads == available_threads()
    every.close()
    for device in ("cuda:1", "abacus"):
        with pytest.raises(BackendError, match='`device` must be "auto" or "cpu", got'):
            select(device)
        with pytest.raises(BackendError, match=f"torch has no `device` '{device}' that works"):
            select(device, "torch")
    with pytest.raises(InvalidRequest, match='`kernels` must be "torch"'):
        select("cpu", "abacus")
    with pytest.raises(InvalidRequest, match="`threads` must be None"):
        select("cpu", "torch", 2)
    assert select("cpu", "torch").name.startswith("torch ")
    with pytest.raises(BackendError, match=r'`width` must be one of .*, got "avx1024"'):
        CpuOps(1, "avx1024")
    with pytest.raises(ValueError, match="`threads` must be from 1 to 1024, got 0"):
        CpuOps(0)


def test_the_cpu_needs_no_torch():
    code = "import sys; from genlib.ops import select; select('cpu').close(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)

"""Logits of 16 bits and rows with strides: every value converts exactly, NaN counts as −∞, the rest is the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.ops import program
from support.sampling import (
    WIDTHS,
    Case,
    adversarial_rows,
    assert_same,
    check,
    narrowed,
    new_drawn,
    params_of,
    random_case,
    run,
)

from genlib.ops.cpu import CpuOps

SHORT = ("bfloat16", "float16")
PATTERNS = np.arange(1 << 16, dtype=np.uint16)


def wide(bits: Any, dtype: str) -> Any:
    """As float32, by torch or numpy and not by what is tested."""
    if dtype == "float16":
        return bits.view(np.float16).astype(np.float32)
    torch = pytest.importorskip("torch")
    return torch.from_numpy(bits).view(torch.bfloat16).float().numpy()


@pytest.mark.parametrize("dtype", SHORT)
@pytest.mark.parametrize("width", ["reference", *WIDTHS])
def test_every_16_bit_value_converts_exactly(width: str, dtype: str) -> None:
    """The order of 64 neighbouring patterns, shuffled, shows denormals; logprobs beside 0 show the larger values."""
    rng = np.random.default_rng(3)
    starts = np.arange(0, (1 << 16) - 32, 32 if width == "reference" else 7)
    bits = rng.permuted(PATTERNS[np.minimum(starts[:, None] + np.arange(64), (1 << 16) - 1)], axis=1)
    logits = bits.view(np.float16) if dtype == "float16" else bits
    params = params_of([Case(top_n=64)] * len(bits), 64)
    out = run(width, logits, params)
    assert_same(out, run(WIDTHS[0], wide(bits, dtype), params), "float32")
    x = wide(bits, dtype)
    x[np.isnan(x)] = -np.inf
    good = out.status == 0
    assert np.count_nonzero(good) > 0.9 * len(good)
    assert np.array_equal(good, np.isfinite(x).any(1) & ~np.isposinf(x).any(1))
    order = np.where(np.sort(x, 1)[:, ::-1] > -np.inf, np.argsort(-x, 1, kind="stable"), -1)
    assert np.array_equal(out.top_token[good], order[good])

    step = 61 if width == "reference" else 1
    pairs = np.stack([PATTERNS, np.zeros_like(PATTERNS)], 1)[::step]
    params = params_of([Case(forced=0)] * len(pairs), 2)
    out = run(width, pairs.view(np.float16) if dtype == "float16" else pairs, params)
    assert_same(out, run(WIDTHS[0], wide(pairs, dtype), params), "float32")


@pytest.mark.parametrize("dtype", SHORT)
@pytest.mark.parametrize("V", [2, 17, 509, 513, 4099, 8192])
def test_widths_equal_the_reference_on_16_bit_rows(V: int, dtype: str) -> None:
    rng = np.random.default_rng(V)
    for row in adversarial_rows(V, rng).values():
        cases = [random_case(rng, V) for _ in range(12)]
        check(np.tile(narrowed(row, dtype), (len(cases), 1)), cases, threads=2)


@pytest.mark.parametrize("dtype", ["float32", *SHORT])
@pytest.mark.parametrize("width", WIDTHS)
def test_recorded_steps_take_rows_with_strides(width: str, dtype: str) -> None:
    """What lies between the rows is NaN and never read; the rows may run backwards, or be one and the same."""
    rng, V = np.random.default_rng(8), 997
    rows = narrowed(np.stack(list(adversarial_rows(V, rng).values())), dtype)
    cases = [random_case(rng, V) for _ in rows]
    params, top_n = params_of(cases, V), max(case.top_n for case in cases)
    spaced = np.full((len(rows), 2, (V + 5) * rows.itemsize), 0xFF, np.uint8).view(rows.dtype)
    spaced[:, 1, 3:-2] = rows
    ops = CpuOps(2, width)
    plan: Any = SimpleNamespace(num_sampled=np.array([len(rows)], np.int32))
    for logits in (spaced[:, 1, 3:-2], rows[::-1].copy()[::-1], np.broadcast_to(rows[1], rows.shape)):
        out = new_drawn(len(rows), top_n)
        program(ops, lambda logits=logits, out=out: ops.sample(logits, params, plan, out))()
        assert_same(out, run(width, np.ascontiguousarray(logits), params), "strided")
    ops.close()

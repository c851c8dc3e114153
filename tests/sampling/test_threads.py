"""Threads change no bit, whether they share the rows of a batch or the passes over one row."""

from __future__ import annotations

import dataclasses
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
    narrowed,
    new_drawn,
    params_of,
    random_case,
    run,
)

from genlib.ops.buffers import SamplerOutput
from genlib.ops.cpu import CpuOps

THREADS = (1, 2, 3, 5)
# Rows of 1, 10 (the shortest that is shared), 12 and 25 blocks, the last block of one token or of many.
SIZES = [(997, "float32"), (40960, "float32"), (45057, "float32"), (101_000, "float32")]
SIZES += [(45057, "bfloat16"), (45057, "float16")]


def replay(ops: CpuOps, logits: Any, cases: list[Case]) -> SamplerOutput:
    out = new_drawn(len(logits), max(case.top_n for case in cases))
    plan: Any = SimpleNamespace(num_sampled=np.array([len(logits)], np.int32))
    program(ops, lambda: ops.sample(logits, params_of(cases, logits.shape[1]), plan, out))()
    return out


@pytest.mark.parametrize(("V", "dtype"), SIZES)
def test_rows_have_the_same_bits_on_any_number_of_threads(V: int, dtype: str) -> None:
    """One row at a time, which all threads share if it is long; then all rows at once."""
    rng = np.random.default_rng(V)
    rows = narrowed(np.stack(list(adversarial_rows(V, rng).values())), dtype)
    cases = [random_case(rng, V) for _ in rows]
    cases[0] = Case(0.8, top_p=0.95, min_p=1e-4, top_n=64, seed=5)
    cases[1] = Case(0.7, top_k=V // 3, top_p=0.99, bias={0: 1.0, V - 1: 2.0}, seed=5)
    expected = run(WIDTHS[0], rows, params_of(cases, V))
    assert np.count_nonzero(expected.status == 0) > 10
    for threads in THREADS:
        ops = CpuOps(threads)
        assert_same(replay(ops, rows, cases), expected, f"{threads} threads, all rows")
        for r, case in enumerate(cases):
            one = {f.name: getattr(expected, f.name)[r : r + 1] for f in dataclasses.fields(expected)}
            got = replay(ops, rows[r : r + 1], [dataclasses.replace(case, top_n=64)])
            assert_same(
                trimmed(got, case.top_n), trimmed(SamplerOutput(**one), case.top_n), f"{threads} threads, row {r}"
            )
        ops.close()


def trimmed(drawn: SamplerOutput, top_n: int) -> SamplerOutput:
    tops = {name: getattr(drawn, name)[:, :top_n] for name in ("top_token", "top_probability", "top_logprob")}
    return dataclasses.replace(drawn, **tops)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 6, 7, 11])
def test_rows_left_over_by_the_others(rows: int) -> None:
    """With five threads: none, one or two rows are shared by all, the others taken one by each."""
    V = 41_000
    rng = np.random.default_rng(rows)
    logits = rng.standard_normal((rows, V)).astype(np.float32)
    cases = [dataclasses.replace(random_case(rng, V), top_n=3) for _ in range(rows)]
    ops = CpuOps(5)
    assert_same(replay(ops, logits, cases), run("reference", logits, params_of(cases, V)), "five threads")
    ops.close()

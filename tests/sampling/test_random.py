"""153,600 random rows with every parameter in play: each vector width equals the reference bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.random import random_edits, random_logits
from support.sampling import MIN_PS, PENALTIES, TEMPERATURES, TOP_PS, WIDTHS, assert_same, narrowed, run

from genlib.ops import rows
from genlib.ops.buffers import RowParams

ROWS = 2560
VOCABULARIES = (2, 3, 5, 8, 13, 16, 17, 24, 31, 32, 33, 47, 64, 65, 90, 128, 129, 200, 257, 520)


def random_params(rng: np.random.Generator, V: int, R: int) -> RowParams:
    def some(values: Any, dtype: Any) -> Any:
        return rng.choice(np.array(values, dtype), R)

    masks = np.packbits(rng.random((16, -(-V // 32), 32)) < rng.choice([0.05, 0.5, 0.95], (16, 1, 1)), axis=2)
    ranks = [0, 0, 0, 1, 2, 5, max(1, V // 3), max(1, V - 1), V, V + 7]
    return RowParams(
        scale=some([rows.row_scale(t) for t in (*TEMPERATURES, *rng.uniform(0.05, 3, 5))], np.float32),
        top_k=some(ranks, np.int32),
        top_p=some([rows.row_top_p(p) for p in (*TOP_PS, 1.0, 1.0, *rng.uniform(0.01, 1, 5))], np.uint32),
        min_p=some([rows.row_min_p(p) for p in (*MIN_PS, 0.0, 0.0, *rng.uniform(0, 1, 3))], np.float32),
        seed=rng.integers(2**64, size=R, dtype=np.uint64),
        stream=rng.integers(2**64, size=R, dtype=np.uint64),
        position=rng.integers(2**63, size=R),
        mask=np.where(rng.random(R) < 0.2, rng.integers(0, 16, R), -1).astype(np.int32),
        forced=np.where(rng.random(R) < 0.1, rng.integers(0, V, R), -1).astype(np.int32),
        top_n=some([0] * 12 + [1, 3, 64], np.int32),
        repetition=some([1.0, 1.0, 1.1, 0.5, 2.0**-64, 2.0**64], np.float32),
        presence=some(PENALTIES, np.float32),
        frequency=some(PENALTIES, np.float32),
        masks=masks.view(np.uint32)[..., 0],
        **random_edits(rng, V, R),
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("V", VOCABULARIES)
def test_widths_equal_the_reference_on_random_rows(V: int, dtype: str, share: float) -> None:
    R = round(ROWS * share)
    rng = np.random.default_rng([V, len(dtype)])
    logits, params = narrowed(random_logits(rng, V, R), dtype), random_params(rng, V, R)
    expected = run("reference", logits, params)
    assert np.count_nonzero(expected.status == 0) > R / 2
    for width in WIDTHS:
        assert_same(run(width, logits, params), expected, width)

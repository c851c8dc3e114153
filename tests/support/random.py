"""Random rows for the sampler's tests, and the score of what was drawn. Without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]
MOST_EDITS = 5
Z_LIMIT = 4.75  # a right sampler, given other seeds, would pass each test with odds of a million to one


def random_logits(rng: np.random.Generator, V: int, R: int) -> Any:
    """[R, V] float32: spreads from flat to very wide, ties, and values that are none."""
    x = rng.standard_normal((R, V)) * rng.choice([1e-40, 1e-3, 0.3, 1, 3, 40], (R, 1))
    x = np.where(rng.random((R, 1)) < 0.2, np.round(x * 2) / 2, x)
    peaked = rng.random(R) < 0.1
    x[peaked, rng.integers(V, size=R)[peaked]] += 50
    odd = rng.choice([np.nan, -np.inf, np.inf, 3.4e38, -3.4e38, -0.0], (R, V), p=[0.4, 0.4, 0.001, 0.009, 0.09, 0.1])
    return np.where(rng.random((R, V)) < rng.choice([0, 0, 0.05, 0.6], (R, 1)), odd, x).astype(np.float32)


def random_edits(rng: np.random.Generator, V: int, R: int) -> dict[str, Any]:
    """Up to MOST_EDITS of each row's tokens, one row's entries behind another's."""
    count = rng.integers(0, min(V, MOST_EDITS) + 1, R) * (rng.random(R) < 0.5)
    tokens = np.argsort(rng.random((R, V)), axis=1)
    token = np.concatenate([np.sort(row[:n]) for row, n in zip(tokens, count.tolist(), strict=True)])
    return {
        "edit_start": (np.cumsum(count) - count).astype(np.int64),
        "edit_count": count.astype(np.int32),
        "edit_token": token.astype(np.int32),
        "edit_bias": rng.choice([0, 0.5, -3, 100, -1e30, 3e38], len(token)).astype(np.float32),
        "edit_seen": rng.choice([-1, 0, 1, 2, 40, 2**31 - 1], len(token)).astype(np.int32),
    }


def chi_squared_z(observed: Floats, expected: Floats, is_g: bool = False) -> float:
    """Wilson and Hilferty's normal score of Pearson's or the G statistic, cells pooled to at least 10 expected."""
    order = np.argsort(expected)
    cells = np.cumsum(expected[order]) // 10
    cells = np.unique(cells, return_inverse=True)[1]
    o, e = np.bincount(cells, observed[order]), np.bincount(cells, expected[order])
    if e[0] < 10:
        o, e = np.append(o[2:], o[:2].sum()), np.append(e[2:], e[:2].sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        g = 2 * np.sum(np.where(o > 0, o * np.log(o / e), 0))
    statistic, df = g if is_g else np.sum((o - e) ** 2 / e), len(o) - 1
    return float(((statistic / df) ** (1 / 3) - (1 - 2 / (9 * df))) / np.sqrt(2 / (9 * df)))

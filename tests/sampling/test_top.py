"""The most likely tokens of a row: the first of the model's own order, whatever is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from support.sampling import WIDTHS, Case, adversarial_rows, check, new_drawn, params_of, run

from genlib import _native

NUMBERS = (1, 2, 3, 31, 32, 33, 63, 64)


@pytest.mark.parametrize("V", [2, 31, 64, 65, 997, 4099, 20011, 65536])
def test_they_are_the_first_of_the_order(V: int) -> None:
    rng = np.random.default_rng(V)
    for name, row in adversarial_rows(V, rng).items():
        cases = [Case(0, top_n=n) for n in (NUMBERS if V < 10000 else NUMBERS[::3])]
        out = check(np.tile(row, (len(cases), 1)), cases)
        if out.status[0] != 0:
            assert np.all(out.top_token[-1] == -1), name
            continue
        x = np.where(np.isnan(row), -np.inf, row)
        order = [v for v in np.argsort(-x, kind="stable").tolist() if x[v] > -np.inf]
        for case, tokens, probabilities, logprobs in zip(
            cases, out.top_token, out.top_probability, out.top_logprob, strict=True
        ):
            n = min(case.top_n, len(order))
            assert tokens[:n].tolist() == order[:n], name
            assert np.all(tokens[n : case.top_n] == -1)
            assert not np.any(probabilities[n : case.top_n])
            assert np.all(logprobs[n : case.top_n] == -np.inf)
            assert np.all(tokens[case.top_n :] == -99), "what lies behind is not written"


def test_their_probabilities_are_those_that_a_forced_token_reports() -> None:
    rng, V = np.random.default_rng(2), 4099
    row = (rng.standard_normal(V) * 4).astype(np.float32)
    top = check(row[None], [Case(0.3, top_k=2, top_n=64, allowed=(5, 6))])
    forced = check(np.tile(row, (64, 1)), [Case(forced=v) for v in top.top_token[0].tolist()])
    assert np.array_equal(top.top_probability[0], forced.probability)
    assert np.array_equal(top.top_logprob[0], forced.logprob)
    assert np.all(np.diff(top.top_logprob[0]) <= 0)


def test_a_tie_at_the_end_goes_to_the_lower_ids() -> None:
    """Ties in other tiles than the one that has the largest value, more of them than are asked for."""
    row = np.zeros((1, 3000), np.float32)
    row[0, [2999, 1700]] = 1, 2
    assert check(row, [Case(top_n=5)]).top_token[0].tolist() == [1700, 2999, 0, 1, 2]
    row[0, :1600] = -1
    assert check(row, [Case(top_n=5)]).top_token[0].tolist() == [1700, 2999, 1600, 1601, 1602]


@pytest.mark.parametrize("width", WIDTHS)
def test_more_columns_than_are_asked_for_are_left_alone(width: str) -> None:
    params, out = params_of([Case(top_n=3), Case(top_n=0), Case(top_n=7)], 5), new_drawn(3, 9)
    logits = np.arange(15, dtype=np.float32).reshape(3, 5)
    _native.sample_rows(width, logits, params, np.array([3], np.int32), out, 1)
    assert out.top_token.tolist() == [
        [4, 3, 2, *[-99] * 6],
        [-99] * 9,
        [4, 3, 2, 1, 0, -1, -1, -99, -99],
    ]
    assert np.array_equal(run("reference", logits, params).top_logprob, out.top_logprob[:, :7], equal_nan=True)

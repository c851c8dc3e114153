"""Logit bias and penalties: what they do to a value, beside transformers and plain arithmetic, and to a row."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sampling import Case, adversarial_rows, check, params_of, random_case

from genlib.ops import reference_sampling as reference

penalty = st.floats(-8, 8, width=32)


def processed(row: np.ndarray, case: Case) -> np.ndarray:
    with np.errstate(over="ignore"):
        return reference.processed(row, reference.row_of(params_of([case], len(row)), 0, len(row)))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=9, max_size=9), st.data())
def test_the_repetition_penalty_is_transformers(row: list[float], data: st.DataObject) -> None:
    torch = pytest.importorskip("torch")
    process = pytest.importorskip("transformers").RepetitionPenaltyLogitsProcessor
    repetition = data.draw(st.floats(2.0**-30, 2.0**30, width=32))
    prompt = data.draw(st.lists(st.integers(0, 8), min_size=1, max_size=20))
    logits = np.array(row, np.float32)
    expected = process(repetition)(torch.tensor([prompt]), torch.from_numpy(logits)[None].clone())[0].numpy()
    assert np.array_equal(processed(logits, Case(repetition=repetition, seen=dict.fromkeys(prompt, 0))), expected)


def single(x: float) -> float:
    return struct.unpack("f", struct.pack("f", x))[0]


@given(st.floats(-50, 50, width=32), penalty, penalty, st.floats(-90, 90, width=32), st.integers(0, 1000))
def test_presence_and_frequency_are_taken_off_one_after_the_other(
    x: float, presence: float, frequency: float, bias: float, count: int
) -> None:
    """Each operation rounded by itself: float64 holds sums and products of two such float32 well enough for that."""
    case = Case(presence=presence, frequency=frequency, bias={1: bias}, seen={1: count})
    value = single(x + bias)
    if count > 0:
        value = single(single(value - presence) - single(frequency * count))
    assert processed(np.array([0, x], np.float32), case)[1] == np.float32(value)


@pytest.mark.parametrize("V", [2, 17, 509, 1500, 8192])
def test_widths_equal_the_reference_with_edits_at_every_place(V: int) -> None:
    """Tokens at the ends of rows, tiles and vectors; all tokens; ranges that other rows' edits surround."""
    rng = np.random.default_rng(V)
    row = (rng.standard_normal(V) * 2).astype(np.float32)
    edges = sorted({v for v in (0, 1, 15, 16, 31, 511, 512, 513, 1023, 1024, V - 2, V - 1) if 0 <= v < V})
    cases = [
        Case(0.8, top_p=0.9, top_n=5, bias=dict.fromkeys(edges, 9.5), seed=1),
        Case(0.8, top_k=3, bias=dict.fromkeys(edges, -9.5), seen=dict.fromkeys(edges, 2), frequency=-3.5, seed=2),
        Case(0, seen=dict.fromkeys(range(V), 1), presence=0.25, repetition=1.5),
        Case(0, bias=dict(zip(range(V), rng.standard_normal(V).tolist(), strict=True)), allowed=tuple(edges)),
        Case(1.0, bias={v: -3e38 for v in range(V) if v != V // 2}, seed=3),
        Case(1.0, forced=edges[-1], bias={edges[-1]: 2.0}),
    ]
    check(np.tile(row, (len(cases), 1)), cases)


def test_edits_on_tokens_that_have_no_value_or_are_forbidden() -> None:
    row = np.array([[np.nan, -np.inf, 0, 1, 5]], np.float32)
    everything = dict.fromkeys(range(5), 50.0)
    out = check(
        np.repeat(row, 3, 0),
        [
            Case(0, bias={0: 1e30, 1: 1e30}),
            Case(0, bias={4: 100}, allowed=(2, 3)),
            Case(1, bias=everything, allowed=(0, 1)),
        ],
    )
    assert out.token.tolist() == [4, 3, -1]
    assert out.status.tolist() == [0, 0, 1]


def test_edits_that_leave_the_numbers() -> None:
    """To -inf: never drawn, nothing left is status 1. To +inf: status 2, forbidden tokens excepted."""
    row = np.full((4, 3), 3e38, np.float32)
    over, under = {0: 3e38}, dict.fromkeys(range(3), 0)
    out = check(
        row,
        [
            Case(bias=over),
            Case(bias=over, allowed=(1, 2)),
            Case(repetition=2.0**-64, seen=under),
            Case(0, repetition=2.0**64, bias={0: -3.4e38, 1: -3.4e38}, seen={0: 0, 1: 0}),
        ],
    )
    assert out.status.tolist() == [2, 0, 2, 0]
    assert out.token[3] == 2
    low = check(np.full((1, 3), -3e38, np.float32), [Case(repetition=2.0**64, seen=under)])
    assert low.status[0] == 1


def test_edits_leave_the_model_s_own_probabilities_alone() -> None:
    rng, V = np.random.default_rng(1), 997
    row = np.tile(rng.standard_normal(V).astype(np.float32), (2, 1))
    out = check(row, [Case(forced=7, top_n=9), Case(forced=7, top_n=9, bias={7: 3.0}, seen={9: 4}, presence=1.0)])
    for field in ("probability", "logprob", "top_token", "top_probability", "top_logprob"):
        assert np.array_equal(*getattr(out, field)), field
    assert out.sampling_probability[1] > 15 * out.sampling_probability[0]


@pytest.mark.parametrize("V", [31, 997, 4099])
def test_widths_equal_the_reference_on_edited_adversarial_rows(V: int) -> None:
    rng = np.random.default_rng(V)
    for row in adversarial_rows(V, rng).values():
        cases = [case for _ in range(30) if (case := random_case(rng, V)).edits()]
        check(np.tile(row, (len(cases), 1)), cases)

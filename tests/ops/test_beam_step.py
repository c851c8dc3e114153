"""The beam step: C++ equals the reference bit for bit, and the reference equals the search written out."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.beam import Search, assert_same, begin, copied, random_logits, set_live
from support.ops import WIDTHS, cpu

from genlib.ops import torch_beam
from genlib.ops.reference import ReferenceOps
from genlib.ops.reference_beam import log_softmax
from genlib.ops.searches import SearchBuffers
from genlib.text import automaton

STOPS = ((), (), (b"abc",), (b"aa", b"ba", b"cab"), (b"d",))
searches_of_any_kind = st.builds(
    Search,
    num_beams=st.integers(1, 7),
    max_length=st.integers(1, 9),
    early_stopping=st.sampled_from([False, True, "never"]),
    length_penalty=st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]),
    stops=st.sampled_from(STOPS),
)


def steps(s: SearchBuffers) -> Any:
    """The slots that still search, step by step, until none does."""
    while slots := [slot for slot in range(1, len(s.done)) if not s.done[slot] and not s.status[slot]]:
        yield slots


@settings(max_examples=150, deadline=None)
@given(
    st.lists(searches_of_any_kind, min_size=1, max_size=4),
    st.sampled_from([2, 3, 17, 100, 600]),
    st.sampled_from([frozenset[int](), frozenset({1}), frozenset({0, 1})]),
    st.sampled_from(["normal", "coarse", "equal", "few finite", "near", "infinite"]),
    st.integers(0, 2**32 - 1),
)
def test_widths_and_torch_equal_the_reference(
    searches: list[Search], vocabulary: int, eos_ids: frozenset[int], kind: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    expected = begin(searches, vocabulary, eos_ids)
    got = [copied(expected) for _ in (*WIDTHS, "torch")]
    with ExitStack() as stack:
        runs = [stack.enter_context(cpu(1 + i % 3, width)) for i, width in enumerate(WIDTHS)]
        for slots in steps(expected):
            order = rng.permutation(slots).tolist()
            rows = set_live(order, expected, *got)
            logits = random_logits(rng, rows, vocabulary, kind)
            ReferenceOps().beam_step(logits, expected)
            for ops, s in zip(runs, got[:-1], strict=True):
                ops.beam_step(logits, s)
            torch_beam.beam_step(torch.from_numpy(logits), got[-1])
            for s in got:
                assert_same(s, expected)


@pytest.mark.parametrize("kind", ["normal", "coarse", "equal"])
def test_a_large_vocabulary(kind: str) -> None:
    rng = np.random.default_rng(1)
    expected = begin([Search(8, 4), Search(3, 4, stops=(b"abab",))], 30011, frozenset({5}))
    got = copied(expected)
    with cpu(2) as ops:
        for slots in steps(expected):
            rows = set_live(slots, expected, got)
            logits = random_logits(rng, rows, 30011, kind)
            ReferenceOps().beam_step(logits, expected)
            ops.beam_step(logits, got)
            assert_same(got, expected)


def test_log_softmax() -> None:
    row = (np.random.default_rng(2).standard_normal(5000) * 4).astype(np.float32)
    exact = row.astype(np.float64) - row.max()
    exact -= math.log(np.exp(exact).sum())
    np.testing.assert_allclose(log_softmax(row), exact, atol=4e-7, rtol=6e-8)


def test_ties_go_to_the_lower_lane_then_to_the_lower_token() -> None:
    """Logits that differ by less than the sum of scores can tell are ties too."""
    s = begin([Search(2, 3)], 6, frozenset({5}))
    with cpu(1) as ops:
        set_live([1], s)
        ops.beam_step(np.array([[2, 3, 3, 2, 3, -9]] * 2, np.float32), s)
        lane = int(s.lane[1])
        assert s.token[lane : lane + 2].tolist() == [1, 2]
        s.score[lane : lane + 2] = -1e6
        near = np.array([[0, 1e-3, 0, 2e-3, 0, -9]] * 2, np.float32)
        ops.beam_step(near, s)
        assert s.parent[lane : lane + 2].tolist() == [0, 0]
        assert s.token[lane : lane + 2].tolist() == [0, 1]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=5), st.text("abc", max_size=30))
def test_the_automaton_finds_what_ends_here(patterns: list[str], text: str) -> None:
    table, ends = automaton.build([p.encode() for p in patterns], 7)
    for i in range(len(text) + 1):
        state = automaton.run(table, 7, text[:i].encode())
        assert bool(ends[state - 7]) == any(text[:i].endswith(p) for p in patterns)


def test_bad_buffers_are_refused_before_anything_is_written() -> None:
    for field, value in (("num_beams", 0), ("lane", 99), ("num_candidates", 99), ("length", 50), ("stop_state", -1)):
        s = begin([Search(2)], 5, frozenset({1}))
        getattr(s, field)[-1] = value
        if field == "stop_state":
            getattr(s, field)[int(s.lane[1])] = value
        set_live([1], s)
        before = copied(s)
        with cpu(1) as ops, pytest.raises(ValueError, match=f"`{field}"):
            ops.beam_step(np.zeros((2, 5), np.float32), s)
        assert_same(s, before)

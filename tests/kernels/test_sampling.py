"""The Triton sampler equals the reference, in Triton's interpreter: each path of it, on rows that break samplers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from genlib.kernels import new_workspace
from genlib.kernels.row import sizes
from genlib.kernels.sampler import groups, split
from genlib.kernels.sampler.request import SampleRequest
from support.kernels import (
    IS_INTERPRETED,
    arguments_of,
    as_tensor,
    assert_drawn,
    check_kernels,
    random_case,
    run_kernels,
)
from support.kernels_random import (
    NO_TOPS,
    assert_as_on_the_cpu,
    assert_identical,
    call_kinds,
    random_arguments,
    sampled_rows,
)
from support.marks import slow
from support.random import random_logits
from support.sampling import NEXT_TO_ONE, Case, adversarial_rows, params_of, run

pytestmark = pytest.mark.skipif(not IS_INTERPRETED, reason="Triton compiles in this process")
PLAIN = {"allowed": None, "edits": None, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize(("V", "rows"), [(17, 2), (509, 3), *slow((2, 3), (1021, 2), (2051, 2))])
def test_the_reference_is_equalled_on_adversarial_rows(V: int, rows: int, changed: bool) -> None:
    rng = np.random.default_rng(V)
    for row in adversarial_rows(V, rng).values():
        check_kernels(np.tile(row, (rows, 1)), [random_case(rng, V, changed) for _ in range(rows)])


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("V", [97, 208])
def test_random_rows(V: int, changed: bool) -> None:
    """As on a GPU (test_gpu.py), but fewer, and float32: the interpreter misreads denormal bfloat16."""
    rng, S = np.random.default_rng([V, changed]), 24
    logits, arguments = torch.from_numpy(random_logits(rng, V, S)), random_arguments(rng, V, S, changed, top_logprobs=3)
    got, _ = run_kernels(logits, PLAIN | arguments)
    assert_as_on_the_cpu(got, logits, arguments)


def test_the_reference_is_equalled_at_full_size() -> None:
    rng, V = np.random.default_rng(1), 128256
    rows = adversarial_rows(V, rng)
    cases = {
        "wide": [Case(temperature=0.8, top_p=0.95, seed=3)],
        "zipf": [Case(top_k=50, top_p=0.9, seed=4)],
        "normal": [Case(temperature=0.8, seed=9)],
        "zipf shuffled": [Case(temperature=0, top_k=7)],
    }
    logits = np.stack([rows[name] for name in cases])
    work = check_kernels(logits, [case for several in cases.values() for case in several])
    assert work.num_listed[1] <= 60, "interleaved tiles keep top-k's candidates few where likely tokens lie together"


@pytest.mark.parametrize("V", [1300, *slow(20011)])
def test_rows_that_candidates_cannot_answer_take_the_slow_way(V: int) -> None:
    rng = np.random.default_rng(V)
    rows = adversarial_rows(V, rng)
    names = ("flat", "normal", "coarse", "all equal", "two values", "sorted", "near ties", "some NaN")
    cases = [
        Case(top_p=0.9, seed=1),
        Case(temperature=2.3, top_k=V // 2, seed=2),
        Case(top_k=V // 2, top_p=0.5, seed=3),
        Case(temperature=3.0, min_p=1e-6, seed=4),
        Case(temperature=3.0, top_k=V - 3, top_p=NEXT_TO_ONE, min_p=0.01, seed=5),
    ]
    logits = np.stack([rows[name] for name in names for _ in cases][: 40 if V < 5000 else 16])
    work = check_kernels(logits, (cases * len(names))[: len(logits)])
    assert work.slow.sum() > len(logits) // 2


def test_a_wrong_guess_costs_time_and_no_exactness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the list around the boundary has too little room."""
    rng, V = np.random.default_rng(5), 4099
    cases = [Case(top_p=0.9, seed=1), Case(top_k=1500, seed=2), Case(top_k=2000, top_p=0.7, seed=3)]
    logits = np.stack([np.sort(rng.standard_normal(V)).astype(np.float32)] * 3)
    for row in logits:  # the sample of every fourth value sees none of what lies between
        row[1::4] += 3
    splits = []

    def split_again(*args: Any) -> None:
        splits.append(args)
        split.split_again(*args)

    monkeypatch.setattr("genlib.kernels.sampler.finish.split_again", split_again)
    for room in (1024, 2048):
        for module in ("launches", "workspace"):
            monkeypatch.setattr(f"genlib.kernels.sampler.{module}.room_inside", lambda _, room=room: room)
        assert check_kernels(logits, cases).slow.all()
    assert 1 <= len(splits) < 40, "a guess after a wrong one halves what is left"


@pytest.mark.parametrize("dtype", [np.uint16, np.float16])
@pytest.mark.parametrize("changed", [False, True])
def test_narrow_logits(dtype: Any, changed: bool) -> None:
    rng, V = np.random.default_rng(7), 1500
    values = (rng.standard_normal((6, V)) * 3).astype(np.float32)
    values[0, :9] = (np.nan, -np.inf, 0, -0.0, 1e-7, 6e4, -6e4, np.nan, 0)
    narrow = (values.view(np.uint32) >> 16).astype(np.uint16) if dtype is np.uint16 else values.astype(np.float16)
    cases = [random_case(rng, V, changed) for _ in range(5)]
    check_kernels(narrow, [*cases, Case(top_k=20, top_p=0.9, seed=1)])


def test_rows_may_lie_apart() -> None:
    rng, V = np.random.default_rng(8), 1100
    wide = torch.from_numpy(rng.standard_normal((4, 2 * V + 3)).astype(np.float32))
    cases = [random_case(rng, V) for _ in range(4)]
    arguments = arguments_of(cases, V)
    view, _ = run_kernels(wide[:, 5 : 5 + V], arguments)
    copy, _ = run_kernels(wide[:, 5 : 5 + V].contiguous(), arguments)
    assert_identical(view, copy)


def test_a_row_does_not_depend_on_its_company() -> None:
    """Bit for bit, wherever it stands and whatever the other rows ask for."""
    rng, V = np.random.default_rng(9), 2500
    logits = (rng.standard_normal((8, V)) * 2).astype(np.float32)
    cases = [random_case(rng, V) for _ in range(8)]
    together, _ = run_kernels(as_tensor(logits), arguments_of(cases, V))
    order = rng.permutation(8)
    mixed, _ = run_kernels(as_tensor(logits[order]), arguments_of([cases[i] for i in order], V))
    assert_identical(mixed, sampled_rows(together, torch.from_numpy(order)))
    for i in range(3):
        alone, _ = run_kernels(as_tensor(logits[i : i + 1]), arguments_of(cases[i : i + 1], V))
        assert_identical(alone, sampled_rows(together, slice(i, i + 1)))


@pytest.mark.parametrize("changed", [False, True])
def test_nothing_depends_on_how_rows_and_tiles_are_dealt_out(changed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In groups of any number of rows, and with any number of tiles to a program."""
    rng, V, S = np.random.default_rng(13), 2500, 7
    logits = torch.from_numpy(random_logits(rng, V, S))
    arguments = PLAIN | random_arguments(rng, V, S, changed, top_logprobs=3)
    expected, _ = run_kernels(logits, arguments)
    assert_as_on_the_cpu(expected, logits, arguments)
    for size, each in ((1, 2), (3, 4), (7, 2)):
        monkeypatch.setattr("genlib.kernels.sampler.launches.group_size", lambda *_, size=size: size)
        monkeypatch.setattr("genlib.kernels.sampler.launches.tiles_each", lambda _, each=each: each)
        assert_identical(run_kernels(logits, arguments)[0], expected)


@pytest.mark.parametrize(
    ("rows", "row_bytes"), [(1, 64), (7, groups.GROUP_BYTES), (512, 256512), (10**6, 8), (96, 256512)]
)
def test_two_groups_of_rows_fit_into_the_cache(rows: int, row_bytes: int) -> None:
    size = groups.group_size(rows, row_bytes)
    assert 1 <= size <= rows
    assert size == 1 or size * row_bytes <= groups.GROUP_BYTES
    assert 2 * size <= groups.MOST_GRID_ROWS
    count = -(-rows // size)
    assert rows - (count - 1) * size > size - count, "the last group is about as large"


def test_all_that_is_said_of_a_row_depends_on_the_row_alone() -> None:
    """Whether others have masks or edits, or their most likely tokens are asked for, changes no bit."""
    rng, V, S = np.random.default_rng(14), 2500, 6
    logits = torch.from_numpy((rng.standard_normal((S, V)) * 2).astype(np.float32))
    logits[0, ::2], logits[1, 7] = -np.inf, np.nan
    for temperature in (0.0, 0.7, 1.0):
        arguments = PLAIN | random_arguments(rng, V, S) | {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
        arguments["temperature"] = temperature
        expected, _ = run_kernels(logits, arguments)
        for changes in call_kinds(V, S):
            got, _ = run_kernels(logits, arguments | changes)
            assert_identical(dataclasses.replace(got, **NO_TOPS), expected)


@pytest.mark.parametrize("which", [slice(None, None, 3), *slow(slice(None))], ids=["some", "all"])
def test_one_workspace_serves_calls_of_all_kinds(which: slice) -> None:
    """What one leaves does no harm to the next, also where a call was cut off and its counters were left."""
    rng, V, S = np.random.default_rng(15), 2500, 4
    logits = torch.from_numpy((rng.standard_normal((S, V)) * 2).astype(np.float32))
    workspace = new_workspace(S, V, "cpu")
    arguments = PLAIN | random_arguments(rng, V, S) | {"min_p": 0.0}
    kinds = [{}, {"top_k": 0, "top_p": 1.0}, {"top_logprobs": 3}, *call_kinds(V, S)]
    for changes in [*kinds, *kinds[::-1]][which]:
        expected, _ = run_kernels(logits, arguments | changes)
        assert_identical(run_kernels(logits, arguments | changes, workspace)[0], expected)
    workspace.work.tiles_done.fill_(2)
    run_kernels(logits, arguments, workspace)
    assert_identical(run_kernels(logits, arguments, workspace)[0], run_kernels(logits, arguments)[0])


def test_tensors_that_hold_what_makes_no_sense_disturb_no_other_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """And end: on a GPU nothing looks at them before."""
    monkeypatch.setattr(SampleRequest, "_check_rows", lambda *_: None)
    rng, V, nan = np.random.default_rng(16), 1300, np.nan
    bad = {
        "temperature": [nan, -1.0, np.inf],
        "top_p": [nan, -1.0, 2.0],
        "min_p": [nan, -1.0, 2.0],
        "top_k": [-1, 2**31, -(2**40)],
    }
    for name, values in bad.items():
        logits = torch.from_numpy((rng.standard_normal((6, V)) * 1e-2).astype(np.float32))
        arguments = PLAIN | random_arguments(rng, V, 6) | {"temperature": torch.ones(6), "min_p": torch.zeros(6)}
        arguments |= {"top_p": torch.full((6,), 0.9), "top_k": torch.zeros(6, dtype=torch.int64)}
        expected, _ = run_kernels(logits, arguments)
        arguments[name][::2] = torch.tensor(values, dtype=arguments[name].dtype)
        got, _ = run_kernels(logits, arguments)
        others = torch.tensor([1, 3, 5])
        assert_identical(sampled_rows(got, others), sampled_rows(expected, others))


def as_numbers(case: Case) -> Mapping[str, Any]:
    return {
        "temperature": case.temperature,
        "top_k": case.top_k,
        "top_p": case.top_p,
        "min_p": case.min_p,
        "streams": case.stream,
        "repetition_penalty": case.repetition,
        "presence_penalty": case.presence,
        "frequency_penalty": case.frequency,
    }


@pytest.mark.parametrize(
    "case",
    [
        Case(seed=1, stream=5),
        Case(temperature=0.0, seed=2),
        Case(temperature=0.7, seed=3, stream=2**40),
        Case(temperature=1.7, top_k=3, top_p=0.3, min_p=0.01, seed=4, position=2**40),
        Case(top_p=1 / 3, seed=5, presence=0.1, frequency=0.7, repetition=1.3, seen={3: 2, 7: 0}),
    ],
)
def test_numbers_are_as_good_as_tensors(case: Case) -> None:
    V = 1200
    logits = np.random.default_rng(10).standard_normal((2, V)).astype(np.float32)
    arguments = arguments_of([case, case], V) | as_numbers(case)
    got, _ = run_kernels(as_tensor(logits), arguments)
    expected = run("reference", logits, params_of([case, case], V))
    assert_drawn(got, expected, [case, case])


@pytest.mark.parametrize("changed", [False, True])
def test_the_most_likely_tokens(changed: bool) -> None:
    rng, V = np.random.default_rng(11), 3000
    rows = adversarial_rows(V, rng)
    logits = np.stack([rows[name] for name in ("wide", "zipf", "one finite", "some +inf", "nothing", "all equal")])
    cases = [dataclasses.replace(random_case(rng, V, changed), top_n=n) for n in (5, 5, 5, 5, 5, 5)]
    check_kernels(logits, cases)
    narrow = np.round(logits[:2] * 4) / 4
    check_kernels(narrow[:, :70], [dataclasses.replace(Case(seed=1), top_n=64)] * 2)


def test_a_device_that_lists_fewer_keys_than_there_are_still_finds_the_most_likely() -> None:
    """All equal: every token is as likely as the last one wanted, more than can be listed."""
    V = 6000
    cases = [Case(seed=s, top_n=3) for s in range(2)]
    work = check_kernels(np.zeros((2, V), np.float32), cases)
    assert (work.num_top > sizes.LISTED).all()


def test_finish_is_not_left_to_rows_that_have_a_result() -> None:
    """`choose` says for each row whether `finish` is to answer it; nothing is answered twice."""
    rng, V = np.random.default_rng(12), 1300
    logits = np.stack([rng.standard_normal(V) * 4, rng.standard_normal(V) * 1e-3]).astype(np.float32)
    work = check_kernels(logits, [Case(top_p=0.5, seed=1), Case(top_p=0.99, seed=2)])
    assert work.slow.tolist() == [0, 1]

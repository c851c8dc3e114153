"""What the sampler refuses, and that no value in its buffers can have it write where it must not."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.ops import program
from support.sampling import WIDTHS, Case, assert_same, new_drawn, params_of, random_case, run

from genlib import _native
from genlib.ops.buffers import RowParams, SamplerOutput
from genlib.ops.cpu import CpuOps

V = 5
CASE = Case(top_n=2, bias={1: 0.5, 3: 1.0}, seen={2: 1}, allowed=(0, 1, 2))
INF, NAN = np.float32(np.inf), np.float32(np.nan)
BAD_VALUES: list[tuple[str, int, Any, str]] = [
    ("forced", 0, 5, r"`forced\[0\]` must be from -1 to 4, got 5"),
    ("forced", 0, -2, r"`forced\[0\]`"),
    ("mask", 0, 1, r"`mask\[0\]` must be from -1 to 0, got 1"),
    ("mask", 0, -2, r"`mask\[0\]`"),
    ("scale", 0, NAN, r"`scale\[0\]` must be 0 or from 2\^-64 to 2\^64, got nan"),
    ("scale", 0, 1e-30, r"`scale\[0\]`"),
    ("scale", 0, -1, r"`scale\[0\]`"),
    ("scale", 0, INF, r"`scale\[0\]`"),
    ("min_p", 0, 0.5, r"`min_p\[0\]` must be at most 0, got 0.5"),
    ("min_p", 0, NAN, r"`min_p\[0\]`"),
    ("top_k", 0, -1, r"`top_k\[0\]` must be at least 0, got -1"),
    ("top_n", 0, -1, r"`top_n\[0\]` must be from 0 to 2, the columns of `top_token` \(up to 64\), got -1"),
    ("top_n", 0, 3, r"`top_n\[0\]`"),
    ("repetition", 0, 0, r"`repetition\[0\]` must be from 2\^-64 to 2\^64, got 0"),
    ("repetition", 0, 2.0**65, r"`repetition\[0\]`"),
    ("repetition", 0, NAN, r"`repetition\[0\]`"),
    ("presence", 0, -INF, r"`presence\[0\]` must be from -2\^64 to 2\^64, got -inf"),
    ("presence", 0, NAN, r"`presence\[0\]`"),
    ("frequency", 0, 2.0**65, r"`frequency\[0\]` must be from -2\^64 to 2\^64"),
    ("frequency", 0, NAN, r"`frequency\[0\]`"),
    ("edit_start", 0, -1, r"`edit_start\[0\]` and `edit_count\[0\]` must lie within the 3 edits, got -1 and 3"),
    ("edit_start", 0, 1, r"`edit_start\[0\]`"),
    ("edit_start", 0, 2**63 - 1, r"`edit_start\[0\]`"),
    ("edit_start", 0, -(2**63), r"`edit_start\[0\]`"),
    ("edit_count", 0, -1, r"`edit_start\[0\]`"),
    ("edit_count", 0, 4, r"`edit_start\[0\]`"),
    ("edit_token", 0, -1, r"`edit_token\[0\]` must be from 0 to 4 and, within row 0, more than the one before it"),
    ("edit_token", 2, 5, r"`edit_token\[2\]`"),
    ("edit_token", 1, 1, r"`edit_token\[1\]`"),
    ("edit_token", 2, 0, r"`edit_token\[2\]`"),
    ("edit_bias", 1, INF, r"`edit_bias\[1\]` must be finite, got inf"),
    ("edit_bias", 1, NAN, r"`edit_bias\[1\]`"),
    ("edit_seen", 2, -2, r"`edit_seen\[2\]` must be at least -1, got -2"),
]


@pytest.mark.parametrize(("name", "index", "value", "message"), BAD_VALUES)
def test_values_that_the_contract_does_not_allow(name: str, index: int, value: Any, message: str) -> None:
    params, logits, out = params_of([CASE], V), np.zeros((1, V), np.float32), new_drawn(1, 2)
    getattr(params, name)[index] = value
    with pytest.raises(ValueError, match=message):
        _native.sample_rows(WIDTHS[0], logits, params, np.ones(1, np.int32), out)
    assert_same(out, new_drawn(1, 2), "written to")


def test_top_n_is_at_most_64() -> None:
    params = params_of([Case(top_n=65)], V)
    with pytest.raises(ValueError, match=r"`top_n\[0\]` must be from 0 to 64"):
        _native.sample_rows(WIDTHS[0], np.zeros((1, V), np.float32), params, np.ones(1, np.int32), new_drawn(1, 99))


def strided(array: Any) -> Any:
    return np.repeat(array, 2, -1)[..., ::2]


def read_only(array: Any) -> Any:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("edit_token", lambda a: a[:, None]),
        ("edit_bias", lambda a: a.astype(np.float64)),
        ("edit_seen", lambda a: a[:2]),
        ("masks", lambda a: np.repeat(a, 2, 1)),
        ("edit_count", lambda a: a.astype(np.int64)),
        ("top_n", lambda a: np.repeat(a, 2)),
        ("presence", strided),
        ("top_token", lambda a: a[0]),
        ("top_logprob", lambda a: a[:, :1].copy()),
        ("top_probability", strided),
        ("token", read_only),
        ("top_token", read_only),
    ],
)
def test_arrays_that_do_not_fit(name: str, change: Any) -> None:
    params, out = params_of([CASE] * 2, V), new_drawn(2, 2)
    if name in SamplerOutput.__dataclass_fields__:
        out = dataclasses.replace(out, **{name: change(getattr(out, name))})
    else:
        params = dataclasses.replace(params, **{name: change(getattr(params, name))})
    with pytest.raises(ValueError, match=f"`{name}`"):
        _native.sample_rows(WIDTHS[0], np.zeros((2, V), np.float32), params, np.ones(1, np.int32), out)


@pytest.mark.parametrize(
    "logits",
    [
        np.zeros((1, V)),
        np.zeros((1, V), np.int16),
        np.zeros((1, V), ">f2"),
        np.zeros(V, np.float32),
        np.zeros((1, 0), np.float32),
        np.zeros((1, (1 << 20) + 1), np.uint16),
        strided(np.zeros((1, V), np.float16)),
        np.zeros(4 * V + 1, np.uint8)[1:].view(np.float32).reshape(1, V),
        [[0.0] * V],
    ],
    ids=lambda x: f"{getattr(x, 'dtype', 'list')}{getattr(x, 'shape', '')}",
)
def test_logits_that_do_not_fit(logits: Any) -> None:
    with pytest.raises(ValueError, match="`logits` must"):
        _native.sample_rows(WIDTHS[0], logits, params_of([CASE], V), np.ones(1, np.int32), new_drawn(1, 2))


def recorded(params: RowParams, logits: Any, out: SamplerOutput, threads: int = 1) -> Any:
    ops = CpuOps(threads)
    plan: Any = SimpleNamespace(num_sampled=np.array([len(logits)], np.int32))
    return program(ops, lambda: ops.sample(logits, params, plan, out))


def test_a_recorded_step_looks_at_the_values_each_time_it_runs() -> None:
    """All of them, before the first row is written."""
    params, logits, out = params_of([Case(), CASE], V), np.zeros((2, V), np.float32), new_drawn(2, 2)
    expected = run("reference", logits, params)
    step = recorded(params, logits, out)
    for name, index, value, message in BAD_VALUES:
        column = getattr(params, name)
        at = 1 if len(column) == 2 else index
        before = column[at]
        column[at] = value
        with pytest.raises(ValueError, match=message.replace(r"[0\]", rf"[{at}\]").replace("row 0", "row 1")):
            step()
        assert_same(out, new_drawn(2, 2), f"written to, with {name}")
        column[at] = before
    step()
    assert_same(out, expected, "mended")


def guarded(array: Any) -> tuple[Any, Any]:
    """A copy of the array in the middle of a larger one full of 0x77, and the larger one's bytes around it."""
    size, room = array.nbytes, 4096
    whole = np.full(size + 2 * room, 0x77, np.uint8)
    copy = whole[room : room + size].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy, (whole[:room], whole[room + size :])


@pytest.mark.parametrize("V", [7, 1500])
def test_no_value_in_the_buffers_has_it_write_outside_of_its_outputs(V: int) -> None:
    """Bytes of the parameters are made random, a few at a time: a step refuses them or runs, and never strays."""
    rng, refused, ran = np.random.default_rng(V), 0, 0
    for _ in range(40):
        cases = [random_case(rng, V) for _ in range(4)]
        params, top_n = params_of(cases, V), max(case.top_n for case in cases)
        pairs = {f.name: guarded(getattr(new_drawn(4, top_n), f.name)) for f in dataclasses.fields(SamplerOutput)}
        logits = rng.integers(0, 256, (4, V, 4), np.uint8).view(np.float32)[..., 0]
        out = SamplerOutput(**{name: pair[0] for name, pair in pairs.items()})
        step = recorded(params, logits, out)
        for _ in range(25):
            kept = {f.name: getattr(params, f.name).copy() for f in dataclasses.fields(RowParams)}
            for name in rng.choice(list(kept), 2, replace=False).tolist():
                raw = getattr(params, name).reshape(-1).view(np.uint8)
                if len(raw):
                    where = rng.integers(len(raw), size=rng.integers(1, 9))
                    raw[where] = rng.choice(np.array([0, 1, 2, 127, 128, 255], np.uint8), len(where))
            try:
                step()
                ran += 1
            except ValueError:
                refused += 1
            for name, column in kept.items():
                getattr(params, name)[...] = column
        for name, (_, around) in pairs.items():
            assert all(np.all(guard == 0x77) for guard in around), name
    assert min(ran, refused) > 50

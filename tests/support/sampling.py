"""Rows, parameters and runs for the sampler's tests."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from genlib import _native
from genlib.ops import reference_sampling as reference
from genlib.ops import rows, torch_sampling
from genlib.ops.buffers import RowParams, SamplerOutput
from genlib.ops.tensor import Tensor

WIDTHS = tuple(_native.cpu_widths())
NEXT_TO_ONE = 1 - 1e-7


@dataclass(frozen=True, slots=True)
class Case:
    """One row's parameters in the user's units.

    allowed: token ids, None for all. bias: by token. seen: how often each token occurred in generated text, 0 for
    those that only the prompt has.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0
    stream: int = 0
    position: int = 0
    forced: int = -1
    allowed: tuple[int, ...] | None = None
    top_n: int = 0
    repetition: float = 1.0
    presence: float = 0.0
    frequency: float = 0.0
    bias: Mapping[int, float] = field(default_factory=dict)
    seen: Mapping[int, int] = field(default_factory=dict)

    def edits(self) -> list[tuple[int, float, int]]:
        """The entries of RowParams: token, bias, seen."""
        return [(v, self.bias.get(v, 0.0), self.seen.get(v, -1)) for v in sorted({*self.bias, *self.seen})]


def params_of(cases: list[Case], vocabulary: int) -> RowParams:
    """The rows' parameters as the sampler takes them."""
    masked = [case for case in cases if case.allowed is not None]
    masks = np.zeros((len(masked), (vocabulary + 31) // 32), np.uint32)
    for words, case in zip(masks, masked, strict=True):
        for token in case.allowed or ():
            words[token // 32] |= np.uint32(1 << token % 32)
    numbers = iter(range(len(masked)))
    edits = [case.edits() for case in cases]
    token, bias, seen = zip(*itertools.chain(*edits), strict=True) if any(edits) else ((), (), ())
    return RowParams(
        scale=np.array([rows.row_scale(c.temperature) for c in cases], np.float32),
        top_k=np.array([c.top_k for c in cases], np.int32),
        top_p=np.array([rows.row_top_p(c.top_p) for c in cases], np.uint32),
        min_p=np.array([rows.row_min_p(c.min_p) for c in cases], np.float32),
        seed=np.array([c.seed for c in cases], np.uint64),
        stream=np.array([c.stream for c in cases], np.uint64),
        position=np.array([c.position for c in cases], np.int64),
        mask=np.array([-1 if c.allowed is None else next(numbers) for c in cases], np.int32),
        forced=np.array([c.forced for c in cases], np.int32),
        top_n=np.array([c.top_n for c in cases], np.int32),
        repetition=np.array([c.repetition for c in cases], np.float32),
        presence=np.array([c.presence for c in cases], np.float32),
        frequency=np.array([c.frequency for c in cases], np.float32),
        edit_start=np.cumsum([0, *map(len, edits)])[:-1].astype(np.int64),
        edit_count=np.array([len(e) for e in edits], np.int32),
        masks=masks,
        edit_token=np.array(token, np.int32),
        edit_bias=np.array(bias, np.float32),
        edit_seen=np.array(seen, np.int32),
    )


def new_drawn(rows: int, top_n: int = 0) -> SamplerOutput:
    """Outputs full of what no sampler writes."""
    return SamplerOutput(
        token=np.full(rows, -99, np.int32),
        probability=np.full(rows, np.nan, np.float32),
        logprob=np.full(rows, np.nan, np.float32),
        sampling_probability=np.full(rows, np.nan, np.float32),
        num_kept=np.full(rows, -99, np.int32),
        status=np.full(rows, -99, np.int32),
        top_token=np.full((rows, top_n), -99, np.int32),
        top_probability=np.full((rows, top_n), np.nan, np.float32),
        top_logprob=np.full((rows, top_n), np.nan, np.float32),
    )


def as_tensor(logits: Any) -> torch.Tensor:
    """Logits in torch; uint16 elements are the bits of bfloat16."""
    tensor = torch.from_numpy(np.ascontiguousarray(logits))
    return tensor.view(torch.bfloat16) if tensor.dtype == torch.uint16 else tensor


def run(width: str, logits: Any, params: RowParams, num_sampled: int | None = None, threads: int = 1) -> SamplerOutput:
    """The C++ sampler, numpy's for the width "reference", or torch's for "torch"."""
    rows = len(logits) if num_sampled is None else num_sampled
    out = new_drawn(len(logits), max(params.top_n, default=0))
    if width == "reference":
        reference.sample(logits, params, rows, out)
    elif width == "torch":
        torch_sampling.sample(as_tensor(logits), params, rows, out)
    else:
        _native.sample_rows(width, logits, params, np.array([rows], np.int32), out, threads)
    return out


def assert_same(got: SamplerOutput, expected: SamplerOutput, about: str) -> None:
    """Every field, bit for bit."""
    for output in dataclasses.fields(SamplerOutput):
        a, b = getattr(got, output.name), getattr(expected, output.name)
        different = np.unique(np.nonzero(a.view(np.uint32) != b.view(np.uint32))[0])
        assert len(different) == 0, (
            f"{about}: {output.name} of rows {different[:5]}: {a[different[:5]]} ≠ {b[different[:5]]}"
        )


def check(logits: Any, cases: list[Case], threads: int = 1) -> SamplerOutput:
    """All widths and torch against the reference; gives what it has."""
    params = params_of(cases, logits.shape[1])
    expected = run("reference", logits, params)
    for width in (*WIDTHS, "torch"):
        assert_same(run(width, logits, params, threads=threads), expected, width)
    return expected


TEMPERATURES = (0.0, 1e-6, 0.1, 0.8, 1.0, 2.3, 1e4)
TOP_PS = (1e-12, 1e-8, 0.5, 0.9, 0.95, NEXT_TO_ONE, 1.0)
MIN_PS = (0.0, 1e-8, 0.05, 1.0)
PENALTIES = (0.0, 0.0, 0.5, -2.0, 1e-3, 2.0**64)


def random_case(rng: np.random.Generator, V: int) -> Case:
    """A row's parameters, each often at a limit or off."""
    share = float(rng.choice([0.01, 0.5, 0.99]))
    return Case(
        temperature=float(rng.choice(TEMPERATURES)),
        top_k=int(rng.choice((0, 0, 0, 1, 2, 5, 50, 300, max(1, V // 3), max(1, V - 1), V, V + 7))),
        top_p=float(rng.choice(TOP_PS)),
        min_p=float(rng.choice(MIN_PS)),
        seed=int(rng.integers(2**64, dtype=np.uint64)),
        stream=int(rng.integers(2**64, dtype=np.uint64)),
        position=int(rng.integers(2**63)),
        forced=int(rng.integers(V)) if rng.random() < 0.25 else -1,
        allowed=tuple(np.flatnonzero(rng.random(V) < share).tolist()) if rng.random() < 0.3 else None,
        top_n=int(rng.choice((0, 0, 1, 2, 20, 63, 64))),
        repetition=float(rng.choice((1.0, 1.0, 1.1, 0.5, 2.0**-64, 2.0**64))),
        presence=float(rng.choice(PENALTIES)),
        frequency=float(rng.choice(PENALTIES)),
        bias=_random_edits(rng, V, lambda n: rng.choice([0, 0.5, -3, 100, -1e30, 3e38], n)),
        seen=_random_edits(rng, V, lambda n: rng.choice([0, 0, 1, 2, 40, 2**31 - 1], n)),
    )


def _random_edits(rng: np.random.Generator, V: int, values: Callable[[int], Any]) -> dict[int, Any]:
    """Of a few tokens, often none, seldom many."""
    n = min(V, int(rng.choice([0, 0, 1, 3, max(1, V // 3)], p=[0.4, 0.1, 0.2, 0.2, 0.1])))
    return dict(zip(rng.choice(V, n, replace=False).tolist(), values(n).tolist(), strict=True))


def narrowed(row: Any, dtype: str) -> Any:
    """Logits as the sampler takes them: float32, float16, or the bits of bfloat16."""
    if dtype == "float16":
        with np.errstate(over="ignore"):
            return row.astype(np.float16)
    return Tensor("row", "F32", row).to(dtype).data


def adversarial_rows(vocabulary: int, rng: np.random.Generator) -> dict[str, Any]:
    """Rows [V] that break samplers."""
    V = vocabulary
    noise = rng.standard_normal(V).astype(np.float32)
    one = np.full(V, -np.inf, np.float32)
    one[V // 2] = -3.5
    peaked = noise.copy()
    peaked[V // 3] += 50
    zipf = (-1.3 * np.log(np.arange(1, V + 1))).astype(np.float32)
    rows = {
        "flat": noise * np.float32(1e-3),
        "normal": noise,
        "wide": noise * 3,
        "very wide": noise * 40,
        "coarse": np.round(noise * 2) / 2,
        "two values": (noise > 0.5).astype(np.float32),
        "all equal": np.full(V, 1.25, np.float32),
        "all zero, both signs": np.where(noise > 0, np.float32(0), np.float32(-0.0)),
        "one finite": one,
        "peaked": peaked,
        "sorted": np.sort(noise * 2)[::-1].copy(),
        "zipf": zipf,
        "zipf shuffled": rng.permutation(zipf),
        "denormal": (noise * np.float32(1e-40)).astype(np.float32),
        "huge": np.clip(noise, -3, 3) * np.float32(1e38),
        "near ties": np.nextafter(np.float32(2), rng.choice([-9, 9], V).astype(np.float32)),
        "nothing": np.full(V, -np.inf, np.float32),
        "only NaN": np.full(V, np.nan, np.float32),
    }
    for name, value, share in (("NaN", np.nan, 0.3), ("-inf", -np.inf, 0.7), ("+inf", np.inf, 1.5 / V)):
        row = noise.copy()
        row[rng.random(V) < share] = value
        row[V // 2] = value
        rows["some " + name] = row
    return rows

"""The Triton sampler on a GPU equals the C++ sampler, bit for bit: 145,000 random rows, and rows that break samplers.

    TRITON_INTERPRET=0 python -m pytest tests/test_kernels_gpu*.py

Compiling takes most of the time. What is compiled depends on the dtype, on whether rows begin at multiples of 16
tokens and on the kind of call, and not on V: so the vocabularies here are of two kinds, WIDE_LOADS and ODD.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from genlib.kernels import Sampled, Workspace, new_workspace, sample
from support.kernels import ON_GPU, as_tensor
from support.kernels_random import (
    Arguments,
    assert_as_on_the_cpu,
    assert_identical,
    moved,
    random_arguments,
    rows_of,
    sampled_rows,
)
from support.random import random_logits
from support.sampling import adversarial_rows

pytestmark = ON_GPU
WIDE_LOADS, ODD = (208, 2064), (97, 1029)
FULL = 128256
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
RANDOM = [(V, dtype) for V in WIDE_LOADS for dtype in DTYPES] + [(V, torch.float32) for V in ODD]


def on_gpu(logits: torch.Tensor, arguments: Arguments, **buffers: Any) -> Sampled:
    """logits and arguments on the CPU."""
    return sample(logits.to("cuda"), **moved(arguments, "cuda"), **buffers)


def full_rows(rng: np.random.Generator, dtype: torch.dtype, repeats: int) -> torch.Tensor:
    """Rows of V = 128256 that break samplers, each `repeats` times."""
    rows = np.stack(list(adversarial_rows(FULL, rng).values()))
    return torch.from_numpy(np.repeat(rows, repeats, axis=0)).to(dtype)


def flat_rows(S: int, V: int, spread: float = 1e-3) -> torch.Tensor:
    """Rows whose nucleus is most of the vocabulary: no list of candidates holds its boundary."""
    return torch.randn(S, V, generator=torch.Generator().manual_seed(V)) * spread


def gpu_workspace(S: int, V: int) -> Workspace:
    return new_workspace(S, V, torch.device("cuda", torch.cuda.current_device()))


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize(("V", "dtype"), RANDOM)
def test_random_rows(V: int, dtype: torch.dtype, changed: bool) -> None:
    S = 12288 if V < 1000 else 6144
    rng = np.random.default_rng([V, dtype.itemsize, changed])
    for top_logprobs in (0, 5):
        logits = torch.from_numpy(random_logits(rng, V, S // 2)).to(dtype)
        arguments = random_arguments(rng, V, S // 2, changed, top_logprobs)
        assert_as_on_the_cpu(on_gpu(logits, arguments), logits, arguments)


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_of_full_size(dtype: torch.dtype, changed: bool) -> None:
    rng = np.random.default_rng(dtype.itemsize)
    logits = full_rows(rng, dtype, 24)
    arguments = random_arguments(rng, FULL, len(logits), changed, top_logprobs=64 * changed)
    assert_as_on_the_cpu(on_gpu(logits, arguments), logits, arguments)


@pytest.mark.parametrize("V", [*WIDE_LOADS, *ODD])
def test_adversarial_rows(V: int) -> None:
    rng = np.random.default_rng(V)
    rows = np.repeat(np.stack(list(adversarial_rows(V, rng).values())), 60, axis=0)
    for changed in (False, True):
        arguments = random_arguments(rng, V, len(rows), changed)
        assert_as_on_the_cpu(on_gpu(as_tensor(rows), arguments), as_tensor(rows), arguments)


def test_parameters_of_float64_are_taken_as_they_are() -> None:
    rng, V, S = np.random.default_rng(6), 2064, 2048
    logits, arguments = torch.from_numpy(random_logits(rng, V, S)), random_arguments(rng, V, S)
    arguments["temperature"] = (arguments["temperature"].double() * (1 + 1e-9)).clamp(max=1e4)
    arguments["top_p"] = arguments["top_p"].double() * (1 - 1e-9)
    arguments["min_p"] = arguments["min_p"].double() * (1 - 1e-9)
    assert_as_on_the_cpu(on_gpu(logits, arguments), logits, arguments)


@pytest.mark.parametrize(
    "numbers", [{"temperature": 0.8}, {"temperature": 0}, {"top_k": 50, "top_p": 0.9, "min_p": 0.1}]
)
def test_numbers_for_all_rows(numbers: dict[str, Any]) -> None:
    rng, V, S = np.random.default_rng(7), 2064, 512
    logits = torch.from_numpy(random_logits(rng, V, S)).bfloat16()
    arguments = {name: random_arguments(rng, V, S)[name] for name in ("seeds", "positions")} | numbers
    assert_as_on_the_cpu(on_gpu(logits, arguments), logits, arguments)


@pytest.mark.parametrize(("V", "dtype"), [(2064, torch.float32), (FULL, torch.bfloat16)])
def test_flat_rows_take_the_slow_way(V: int, dtype: torch.dtype) -> None:
    """By top-p, by top-k, by both and by min-p."""
    S = 64
    logits = flat_rows(S, V).to(dtype)
    arguments = random_arguments(np.random.default_rng(V), V, S) | {"temperature": 1.0}
    arguments["top_p"] = torch.tensor([0.9, 1.0, 0.5, 1.0]).repeat(S // 4)
    arguments["top_k"] = torch.tensor([0, V // 2, V // 2, 0], dtype=torch.int32).repeat(S // 4)
    arguments["min_p"] = torch.tensor([0.0, 0.0, 0.0, 0.99]).repeat(S // 4)
    workspace = gpu_workspace(S, V)
    assert_as_on_the_cpu(on_gpu(logits, arguments, workspace=workspace), logits, arguments)
    assert workspace.work.slow.all()


def test_a_wrong_guess_costs_time_and_no_exactness() -> None:
    """A sample of every fourth token says nothing of those between."""
    V, S = 4096, 48
    rows = torch.randn(S, V, generator=torch.Generator().manual_seed(5)).sort(1).values
    rows[:, 1::4] += 3
    arguments = random_arguments(np.random.default_rng(5), V, S) | {"temperature": 1.0, "min_p": 0.0}
    arguments["top_p"] = torch.tensor([0.9, 1.0, 0.7]).repeat(S // 3)
    arguments["top_k"] = torch.tensor([0, 1500, 2000], dtype=torch.int32).repeat(S // 3)
    workspace = gpu_workspace(S, V)
    assert_as_on_the_cpu(on_gpu(rows, arguments, workspace=workspace), rows, arguments)
    assert workspace.work.slow.all()


@pytest.mark.parametrize("first", [16, 5])
def test_rows_may_lie_apart(first: int) -> None:
    """first: where a row begins in a wider one; 5 is not a multiple of what is loaded at once."""
    rng, V, S = np.random.default_rng(8), 2064, 64
    wide = torch.from_numpy(random_logits(rng, 2 * V, S))
    arguments = random_arguments(rng, V, S)
    if first % 16:
        arguments |= {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
    got = sample(wide.to("cuda")[:, first : first + V], **moved(arguments, "cuda"))
    assert_as_on_the_cpu(got, wide[:, first : first + V].contiguous(), arguments)


def test_more_logits_than_an_int32_counts() -> None:
    S, tail = 2**31 // FULL + 64, slice(-64, None)
    logits = torch.zeros(S, FULL, dtype=torch.bfloat16, device="cuda")
    last = flat_rows(64, FULL, 3.0).bfloat16()
    logits[tail] = last.to("cuda")
    arguments = random_arguments(np.random.default_rng(9), FULL, S) | {"top_k": 0, "min_p": 0.0}
    arguments["top_p"] = torch.where(torch.arange(S) < S - 64, 1.0, 0.95)
    got = sample(logits, **moved(arguments, "cuda"))
    assert_as_on_the_cpu(sampled_rows(got, tail), last, rows_of(arguments, tail))


@pytest.mark.parametrize("changed", [False, True])
def test_a_row_does_not_depend_on_its_company(changed: bool) -> None:
    """Bit for bit, wherever it stands, whatever the other rows ask for, and alone."""
    rng, V, S = np.random.default_rng(10), 2064, 512
    logits, arguments = torch.from_numpy(random_logits(rng, V, S)), random_arguments(rng, V, S, changed, 5)
    together = on_gpu(logits, arguments)
    order = torch.from_numpy(rng.permutation(S))
    mixed = on_gpu(logits[order], rows_of(arguments, order))
    assert_identical(mixed, sampled_rows(together, order.to("cuda")))
    for s in range(0, S, 16):
        row = slice(s, s + 1)
        assert_identical(on_gpu(logits[row], rows_of(arguments, row)), sampled_rows(together, row))

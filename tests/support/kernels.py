"""Calls of the Triton sampler and their comparison with the specification.

On CPU tensors the kernels run in Triton's interpreter (conftest.py), on CUDA tensors on the GPU.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from genlib.kernels import Edits, Sampled, edits_of, new_sampled, new_workspace
from genlib.kernels.sampler import device
from genlib.kernels.sampler.request import SampleRequest
from genlib.kernels.sampler.workspace import Work, Workspace
from support.interpreter import hasten
from support.sampling import NEXT_TO_ONE, Case, params_of, run

from genlib.ops.buffers import SamplerOutput

IS_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
HAS_GPU = not IS_INTERPRETED and torch.cuda.is_available()
ON_GPU = [pytest.mark.gpu, pytest.mark.skipif(not HAS_GPU, reason="needs an NVIDIA GPU, and TRITON_INTERPRET=0")]
EXACT = ("token", "sampling_probability", "num_kept", "status")
MODEL = {"probability": 2e-6, "logprob": 4e-6}  # how far the float sum may be off
TEMPERATURES = (0.0, 1e-6, 0.1, 0.8, 1.0, 1.0, 2.3, 1e4)
TOP_PS = (1e-12, 1e-8, 0.5, 0.9, 0.95, NEXT_TO_ONE, 1.0, 1.0)
MIN_PS = (0.0, 0.0, 1e-8, 0.05, 1.0)


def top_ks(V: int) -> tuple[int, ...]:
    return (0, 0, 0, 1, 2, 5, 50, 300, max(1, V // 3), max(1, V - 1), V, V + 7)


def random_case(rng: np.random.Generator, V: int, changed: bool = False) -> Case:
    """changed: with a mask, a bias or penalties, or all of them."""
    case = Case(
        temperature=float(rng.choice(TEMPERATURES)),
        top_k=int(rng.choice(top_ks(V))),
        top_p=float(rng.choice(TOP_PS)),
        min_p=float(rng.choice(MIN_PS)),
        seed=int(rng.integers(2**64, dtype=np.uint64)),
        stream=int(rng.integers(2**64, dtype=np.uint64)),
        position=int(rng.integers(2**63)),
    )
    if not changed:
        return case
    share, tokens = float(rng.choice([0.01, 0.5, 0.99])), rng.permutation(V)[: min(V, 40)].tolist()
    return dataclasses.replace(
        case,
        allowed=tuple(np.flatnonzero(rng.random(V) < share).tolist()) if rng.random() < 0.5 else None,
        repetition=float(rng.choice([1.0, 1.2, 0.7])),
        presence=float(rng.choice([0.0, 0.5, -0.3])),
        frequency=float(rng.choice([0.0, 0.25])),
        bias={token: float(rng.normal() * 3) for token in tokens[: rng.integers(20)]},
        seen={token: int(rng.integers(0, 9)) for token in tokens[10 : 10 + rng.integers(30)]},
    )


if IS_INTERPRETED:
    hasten()


def as_tensor(logits: Any, place: str = "cpu") -> torch.Tensor:
    """Logits of numpy; uint16 are the bits of bfloat16."""
    if isinstance(logits, torch.Tensor):
        return logits.to(place)
    if logits.dtype == np.uint16:
        return torch.from_numpy(logits.view(np.int16)).view(torch.bfloat16).to(place)
    return torch.from_numpy(logits).to(place)


def masks_of(cases: list[Case], V: int) -> torch.Tensor | None:
    """`allowed` of the rows; None if none of them has a mask."""
    if all(case.allowed is None for case in cases):
        return None
    params = params_of(cases, V)
    words = np.full((len(cases), (V + 31) // 32), 0xFFFFFFFF, np.uint32)
    for row, mask in zip(words, params.mask, strict=True):
        if mask >= 0:
            row[:] = params.masks[mask]
    return torch.from_numpy(words.view(np.int32))


def edits_of_cases(cases: list[Case], place: str) -> Edits | None:
    """None if no row has any."""
    if not any(case.bias or case.seen for case in cases):
        return None
    return edits_of([case.bias for case in cases], [case.seen for case in cases], device=place)


def arguments_of(cases: list[Case], V: int, place: str = "cpu") -> dict[str, Any]:
    """The arguments of `sample` besides the logits, each a tensor."""

    def floats(name: str) -> torch.Tensor:
        return torch.tensor([getattr(case, name) for case in cases], dtype=torch.float64, device=place)

    def integers(name: str) -> torch.Tensor:
        values = np.array([getattr(case, name) for case in cases], np.uint64)
        return torch.from_numpy(values.view(np.int64)).to(place)

    allowed = masks_of(cases, V)
    return {
        "temperature": floats("temperature"),
        "top_k": integers("top_k"),
        "top_p": floats("top_p"),
        "min_p": floats("min_p"),
        "seeds": integers("seed"),
        "positions": integers("position"),
        "streams": integers("stream"),
        "allowed": None if allowed is None else allowed.to(place),
        "edits": edits_of_cases(cases, place),
        "repetition_penalty": floats("repetition"),
        "presence_penalty": floats("presence"),
        "frequency_penalty": floats("frequency"),
        "top_logprobs": max(case.top_n for case in cases),
    }


def run_kernels(
    logits: torch.Tensor, arguments: dict[str, Any], workspace: Workspace | None = None
) -> tuple[Sampled, Work]:
    """The kernels' answer, also for CPU tensors, and what they left in their buffers."""
    S, V = logits.shape
    request = SampleRequest(logits=logits, **arguments)
    out = new_sampled(S, request.top_logprobs, logits.device)
    for field in dataclasses.fields(out):
        if (buffer := getattr(out, field.name)) is not None:
            buffer.fill_(-99)
    if workspace is None:
        workspace = new_workspace(S, V, logits.device, request.truncates)
    with np.errstate(all="ignore"):
        device.run(request, workspace, out)
    return out, workspace.work


def check_kernels(logits: Any, cases: list[Case], place: str = "cpu") -> Work:
    """The kernels against the reference: bit for bit, but for the model's view where a float sum serves it."""
    tensor = as_tensor(logits, place)
    got, work = run_kernels(tensor, arguments_of(cases, tensor.shape[1], place))
    assert_drawn(got, run("reference", logits, params_of(cases, tensor.shape[1])), cases)
    return work


def assert_drawn(got: Sampled, expected: SamplerOutput, cases: list[Case]) -> None:
    exact = np.array([case.temperature == 1 for case in cases])
    names = {"top_tokens": "top_token", "top_probabilities": "top_probability", "top_logprobs": "top_logprob"}
    columns = {field.name: getattr(expected, names.get(field.name, field.name)) for field in dataclasses.fields(got)}
    assert_equal(got, columns, exact, dict(enumerate(cases)))


def assert_equal(got: Sampled, expected: Mapping[str, Any], exact: Any, about: Mapping[int, object]) -> None:
    """expected: numpy arrays by the names of `Sampled`. The tokens and their probability under the distribution drawn
    from bit for bit; the model's view too in the rows `exact` [S], and nearly in the others. about: what to tell of
    a row that is wrong.
    """
    names = [*EXACT, *MODEL]
    if got.top_tokens is not None:
        names += ["top_tokens", "top_probabilities", "top_logprobs"]
    for name in names:
        a, b = getattr(got, name).cpu().numpy(), expected[name]
        assert a.shape == b.shape, name
        same = a == b if a.dtype.kind == "i" else a.view(np.uint32) == b.view(np.uint32)
        right = same if name in EXACT or name == "top_tokens" else same | (~column(exact, a) & nearly(name, a, b))
        wrong = np.unique(np.nonzero(~right)[0])
        assert len(wrong) == 0, f"{name} of rows {wrong[:5]}: {a[wrong[:5]]} ≠ {b[wrong[:5]]}, {about.get(wrong[0])}"


def column(flags: Any, like: Any) -> Any:
    """Flags of rows, to go with [S] or [S, N]."""
    return flags.reshape(-1, *[1] * (like.ndim - 1))


def nearly(name: str, a: Any, b: Any) -> Any:
    """Where a is as near to b as a float sum of the row allows."""
    is_log = "log" in name
    size = 1 + np.abs(b) if is_log else np.abs(b)
    with np.errstate(invalid="ignore"):
        return (a == b) | (np.abs(a - b) <= MODEL["logprob" if is_log else "probability"] * size + 1e-44)

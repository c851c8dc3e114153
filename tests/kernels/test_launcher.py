"""Launches by `Launcher`: what it takes for alike is alike to Triton, and what it knows is launched without Triton."""

from __future__ import annotations

import dataclasses
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from genlib.kernels import (
    Search,
    edits_of,
    new_beam_workspace,
    new_sampled,
    new_searches,
    new_workspace,
)
from genlib.kernels.beam import device as beam_device
from genlib.kernels.row.launcher import EXACT, Launcher
from genlib.kernels.row.logits import DTYPES
from genlib.kernels.sampler import device
from genlib.kernels.sampler.request import SampleRequest
from triton._C.libtriton import native_specialize_impl
from triton.backends.nvidia.compiler import CUDABackend

DEFAULTS = {"temperature": 1.0, "top_p": 1.0, "min_p": 0.0, "streams": 0} | {
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
Launches = list[tuple[Any, Any, tuple[Any, ...], Any]]


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    """Kind, kernel, arguments by place and constants of what is launched; nothing runs."""
    seen: Launches = []

    def launch(_: Launcher, kernel: Any, grid: Any, arguments: Any, constants: Any, kind: Any, **options: Any) -> None:
        names = [name for name in inspect.signature(kernel.fn).parameters if name not in constants]
        seen.append((kind, kernel, tuple(arguments[name] for name in names), constants))

    monkeypatch.setattr(Launcher, "launch", launch)
    return seen


def somewhere(rng: np.random.Generator, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Ones, one time in eight in a place that is no multiple of 16 bytes."""
    size = int(np.prod(shape))
    start = int(rng.integers(8) == 0)
    return torch.ones(size + 1, dtype=dtype)[start : start + size].view(shape)


def random_request(rng: np.random.Generator) -> SampleRequest:
    S, V = int(rng.choice([1, 1, 2, 3])), int(rng.choice([33, 48, 64]))
    gap = int(rng.choice([0, 0, 1, 16]))
    logits = somewhere(rng, (S, V + gap), DTYPES[rng.integers(3)])[:, :V]

    def either(number: Any, *dtypes: torch.dtype) -> Any:
        return number if rng.random() < 0.5 else somewhere(rng, (S,), dtypes[rng.integers(len(dtypes))])

    floats, changed = (torch.float32, torch.float64), bool(rng.integers(2))
    return SampleRequest(
        logits=logits,
        temperature=either(0.8, *floats),
        top_k=either(int(rng.choice([0, 16])), torch.int32, torch.int64),
        top_p=either(float(rng.choice([1.0, 0.5])), *floats),
        min_p=either(0.0, *floats),
        seeds=somewhere(rng, (S,), torch.int64),
        positions=somewhere(rng, (S,), torch.int64),
        streams=either(int(rng.choice([0, 1, 16, 2**40])), torch.int64),
        allowed=torch.ones(S, int(rng.choice([2, 16])), dtype=torch.int32)[:, : (V + 31) // 32] if changed else None,
        edits=edits_of([{1: 2.0}] * S) if rng.integers(3) == 0 else None,
        repetition_penalty=either(1.5, *floats),
        presence_penalty=either(0.5, *floats),
        frequency_penalty=either(0.5, *floats),
        top_logprobs=int(rng.choice([0, 1, 16])),
    )


def specializations(kernel: Any, args: tuple[Any, ...]) -> Iterator[Any]:
    """What Triton compiles a kernel for, argument by argument."""
    free = kernel.kwargs.get("do_not_specialize") or []
    for name, arg in zip(inspect.signature(kernel.fn).parameters, args, strict=False):
        yield native_specialize_impl(CUDABackend, arg, False, name not in free, name not in free)


def assert_alike(launches: Launches) -> None:
    """All launches of one kind are of one compiled kernel."""
    compiled: dict[Any, Any] = {}
    for kind, kernel, args, constants in launches:
        if kind is not None:
            key = (kernel.fn, kind, *constants.values())
            now = list(specializations(kernel, args))
            assert compiled.setdefault(key, now) == now, kernel.fn.__name__
    assert len(compiled) < len(launches) / 2, "kinds recur"


def test_what_the_sampler_takes_for_alike_is_alike(launches: Launches) -> None:
    rng = np.random.default_rng(1)
    for _ in range(600):
        request = random_request(rng)
        S, V = request.num_rows, request.vocabulary
        out = dataclasses.replace(new_sampled(S, request.top_logprobs, "cpu"), token=somewhere(rng, (S,), torch.int64))
        device.run(request, new_workspace(S, V, "cpu", request.truncates or bool(rng.integers(2))), out)
    assert any(kind is None for kind, *_ in launches), "what is not aligned is left to Triton"
    assert_alike(launches)


def test_what_the_beam_step_takes_for_alike_is_alike(launches: Launches) -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        V, beams, most = int(rng.choice([33, 48])), int(rng.choice([2, 3])), int(rng.choice([15, 16]))
        eos = list(range(rng.choice([1, 2])))
        searches = new_searches([Search(num_beams=beams, max_length=most)], vocabulary=V, eos_ids=eos)
        logits = somewhere(rng, (beams, V), DTYPES[rng.integers(3)])
        beam_device.run(logits, searches, new_beam_workspace(beams, V, "cpu"))
    assert_alike(launches)


@pytest.mark.parametrize("V", [31, 2064, 50257, 128256])
def test_what_is_compiled_does_not_depend_on_rows_or_on_which_change_is_there(V: int, launches: Launches) -> None:
    """So that `warm_up`, whose calls have both mask and edits, and two rows, compiles for all."""
    names = inspect.signature(SampleRequest).parameters
    for S in (1, 2):
        logits, words = torch.zeros(S, V), torch.zeros(S, dtype=torch.int64)
        mask, edits = torch.zeros(S, (V + 31) // 32, dtype=torch.int32), edits_of([{0: 1.0}] * S)
        for changes in ({"allowed": mask}, {"edits": edits}, {"allowed": mask, "edits": edits}):
            given = {"logits": logits, "seeds": words, "positions": words, "top_k": 5, "top_logprobs": 1, **changes}
            request = SampleRequest(**{name: given.get(name, DEFAULTS.get(name)) for name in names})
            device.run(request, new_workspace(S, V, "cpu"), new_sampled(S, 1, "cpu"))
    compiled = {(kernel.fn, repr(list(specializations(kernel, args)))) for _, kernel, args, _ in launches}
    assert len(compiled) == len({fn for fn, _ in compiled})


class Kernel:
    """Stands in for Triton's: notes how it is launched, and gives what stands in for the compiled kernel."""

    arg_names = ("x", "y", "PLAIN")

    def __init__(self, notes: list[Any], compiled: Any) -> None:
        self._notes, self._compiled = notes, compiled

    def __getitem__(self, grid: tuple[int, ...]) -> Any:
        def launch(*args: Any, **options: Any) -> Any:
            self._notes.append((grid, args, options))
            return self._compiled

        return launch


def test_a_launch_like_an_earlier_one_is_of_what_that_compiled() -> None:
    first: list[Any] = []
    again: list[Any] = []
    kernel, launcher = Kernel(first, Kernel(again, None)), Launcher()
    plain, options = {"PLAIN": True}, {"num_warps": 1}
    launcher.launch(kernel, (3,), {"y": 2, "x": 1, "z": 3}, plain, kind="a", **options)
    launcher.launch(kernel, (4, 2), {"y": 6, "x": 5}, plain, kind="a", **options)
    assert first == [((3,), (1, 2), {"PLAIN": True, "num_warps": 1, **EXACT})]
    assert again == [((4, 2, 1), (5, 6, True), {})]
    arguments = {"x": 1, "y": 2}
    launcher.launch(kernel, (3,), arguments, plain, kind="b", **options)
    launcher.launch(kernel, (3,), arguments, {"PLAIN": False}, kind="a", **options)
    launcher.launch(kernel, (3,), arguments, plain, kind=None, **options)
    launcher.launch(kernel, (3,), arguments, plain, kind=None, **options)
    assert (len(first), len(again)) == (5, 1)


def test_compiled_kernels_have_the_same_names_whatever_is_imported_first() -> None:
    """Else a process would not find on disk what another one, as `warm_up` in an image's build, has compiled."""
    names = "(launches.sweep, launches.choose, launches.finish, beam_device.beam_bounds, beam_device.beam_rows)"
    beams = "from genlib.kernels.beam import device as beam_device\n"
    found = set()
    for sampler, first in (("launches, device", ""), ("launches", beams), ("tops, device, launches", "")):
        imports = f"{first}from genlib.kernels.sampler import {sampler}\n{beams}"
        code = f"{imports}print([kernel.cache_key for kernel in {names}])"
        command = [sys.executable, "-c", code]
        found.add(
            subprocess.run(command, env=os.environ | {"TRITON_INTERPRET": "0"}, capture_output=True, check=True).stdout
        )
    assert len(found) == 1

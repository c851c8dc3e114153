"""Calls of the Triton sampler and their comparison with the specification.

On CPU tensors the kernels run in Triton's interpreter (conftest.py), on CUDA tensors on the GPU.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
import torch
import triton.language as tl
from genlib.kernels import Edits, Sampled, device, edits_of, new_sampled, new_workspace
from genlib.kernels.request import Request
from genlib.kernels.workspace import Work
from helpers_sampling import Case, params_of, run
from triton.runtime import interpreter

from genlib.ops.base import Drawn

IS_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
EXACT = ("token", "sampling_probability", "num_kept", "status")
MODEL = {"probability": 2e-6, "logprob": 4e-6}  # how far the float sum may be off


def _call(self: Any, *args: Any, **kwargs: Any) -> Any:
    """A device function's call, without patching the language anew: that would take most of a test's time."""
    modules = [m for m in self.fn.__globals__.values() if m is tl or m is tl.core]
    if any(tl.core.is_builtin(module.load) for module in modules):
        interpreter._patch_lang(self.fn)
    return self.rewrite()(*args, **kwargs)


if IS_INTERPRETED:
    interpreter.InterpretedFunction.__call__ = _call


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


def run_kernels(logits: torch.Tensor, arguments: dict[str, Any]) -> tuple[Sampled, Work]:
    """The kernels' answer, also for CPU tensors, and what they left in their buffers."""
    S, V = logits.shape
    request = Request(logits=logits, **arguments)
    out = new_sampled(S, request.top_logprobs, logits.device)
    for field in dataclasses.fields(out):
        if (buffer := getattr(out, field.name)) is not None:
            buffer.fill_(-99)
    work = new_workspace(S, V, logits.device, request.truncates).work
    with np.errstate(all="ignore"):
        device.run(request, work, out)
    return out, work


def check_kernels(logits: Any, cases: list[Case], place: str = "cpu") -> Work:
    """The kernels against the reference: bit for bit, but for the model's view where a float sum serves it."""
    plain = all(case.allowed is None and not case.bias and not case.seen for case in cases)
    tensor = as_tensor(logits, place)
    got, work = run_kernels(tensor, arguments_of(cases, tensor.shape[1], place))
    assert_drawn(got, run("reference", logits, params_of(cases, tensor.shape[1])), cases, plain)
    return work


def assert_drawn(got: Sampled, expected: Drawn, cases: list[Case], plain: bool) -> None:
    """plain: no row of the call has a mask or edits."""
    for name in EXACT:
        a, b = getattr(got, name).cpu().numpy(), getattr(expected, name)
        wrong = np.flatnonzero(a.astype(b.dtype).view(np.uint32) != b.view(np.uint32))
        assert len(wrong) == 0, f"{name} of rows {wrong[:5]}: {a[wrong[:5]]} ≠ {b[wrong[:5]]}, {cases[wrong[0]]}"
    exact = np.array([plain and case.temperature == 1 for case in cases])
    names = [*MODEL, *(["top_probabilities", "top_logprobs"] if expected.top_token.size else [])]
    for name in names:
        a = getattr(got, name).cpu().numpy()
        b = getattr(expected, {"top_probabilities": "top_probability", "top_logprobs": "top_logprob"}.get(name, name))
        assert np.array_equal(a[exact].view(np.uint32), b[exact].view(np.uint32)), name
        bound = MODEL["logprob" if "log" in name else "probability"]
        with np.errstate(invalid="ignore"):
            near = (a == b) | (np.abs(a - b) <= bound * (np.abs(b) if "log" not in name else 1 + np.abs(b)) + 1e-44)
        assert near.all(), f"{name}: {a[~near][:5]} ≠ {b[~near][:5]}"
    if expected.top_token.size:
        assert np.array_equal(got.top_tokens.cpu().numpy(), expected.top_token), "top_tokens"

"""`genlib.kernels.sample`: what it answers on the CPU, what it refuses, and what it converts."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
import triton
import triton.language as tl
from genlib.kernels import Edits, edits_of, new_sampled, new_workspace, sample, warm_up
from genlib.kernels.sampler import given
from genlib.kernels.sampler.settings import Integers, Settings, convert
from support.kernels import IS_INTERPRETED, arguments_of, assert_drawn
from support.sampling import Case, params_of, run

from genlib.errors import BackendError, InvalidRequest
from genlib.ops import rows

S, V = 3, 50
LOGITS = torch.from_numpy(np.random.default_rng(0).standard_normal((S, V)).astype(np.float32))
SEEDS = torch.tensor([1, -2, 2**62])
POSITIONS = torch.arange(S)


def drawn(**arguments: Any) -> Any:
    return sample(**{"logits": LOGITS, "seeds": SEEDS, "positions": POSITIONS} | arguments)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_cpu_draws_what_the_reference_draws(dtype: torch.dtype) -> None:
    cases = [
        Case(temperature=0.8, top_k=7, top_p=0.9, seed=1, top_n=3),
        Case(min_p=0.1, seed=2**64 - 2, position=1, allowed=(1, 2, 30), stream=9, top_n=3),
        Case(temperature=2.0, seed=5, position=2, bias={3: 2.0}, seen={4: 2}, repetition=1.5, presence=0.1, top_n=3),
    ]
    logits = LOGITS.to(dtype)
    bits = logits.view(torch.int16).numpy().view(np.uint16) if dtype is torch.bfloat16 else logits.numpy()
    got = sample(logits, **arguments_of(cases, V))
    assert_drawn(got, run("reference", bits, params_of(cases, V)), cases)
    assert got.token.dtype == torch.int64


def test_defaults_and_no_rows() -> None:
    one = drawn()
    assert one.top_tokens is None
    assert one.status.tolist() == [0, 0, 0]
    assert one.num_kept.tolist() == [V, V, V]
    assert torch.equal(one.logprob.exp().isclose(one.probability), torch.ones(S, dtype=torch.bool))
    none = sample(LOGITS[:0], seeds=SEEDS[:0], positions=POSITIONS[:0], top_logprobs=2)
    assert none.token.shape == (0,)
    assert none.top_tokens.shape == (0, 2)


def test_out_is_written_and_given_back() -> None:
    out = new_sampled(S, 2, "cpu")
    assert drawn(out=out, top_logprobs=2) is out
    assert torch.equal(out.top_tokens[:, 0], LOGITS.argmax(1))
    with pytest.raises(InvalidRequest, match=r"`out.top_tokens` must be as `new_sampled` makes it"):
        drawn(out=out)


@pytest.mark.parametrize(
    ("arguments", "param", "message"),
    [
        ({"logits": LOGITS[0]}, "logits", r"be a tensor \[S, V\]"),
        ({"logits": LOGITS.double()}, "logits", "be float32, bfloat16 or float16"),
        ({"logits": LOGITS[:, :1]}, "logits", "have from 2 to 2²⁰ columns, got 1"),
        ({"logits": LOGITS.T.contiguous().T}, "logits", "have rows without gaps: call .contiguous"),
        ({"temperature": -1}, "temperature", r"be 0 \(greedy\) or from 1e-6 to 1e4, or a tensor \[S\], got -1"),
        ({"temperature": math.nan}, "temperature", "be 0"),
        ({"temperature": torch.tensor([1.0, 0.0, 1e5])}, "temperature[2]", r"be 0 \(greedy\) .* got 100000.0"),
        ({"temperature": torch.ones(S, dtype=torch.float16)}, "temperature", "a tensor of float32 or float64"),
        ({"temperature": torch.ones(2)}, "temperature", r"have the shape \[3\], got \[2\]"),
        ({"top_k": 1.5}, "top_k", "be an integer from 0"),
        ({"top_k": torch.tensor([0, -1, 3])}, "top_k[1]", "be an integer from 0 to 2147483647, got -1"),
        ({"top_p": 0}, "top_p", r"be in \(0, 1\]"),
        ({"top_p": torch.tensor([0.5, 0.1, 0.0])}, "top_p[2]", r"be in \(0, 1\], got 0.0"),
        ({"min_p": 1.1}, "min_p", r"be in \[0, 1\]"),
        ({"seeds": 5}, "seeds", "be a tensor of int64, got 5"),
        ({"seeds": SEEDS.int()}, "seeds", "be a tensor of int64, got torch.int32"),
        ({"positions": POSITIONS[:2]}, "positions", r"have the shape \[3\]"),
        ({"streams": 2**63}, "streams", "be an integer from"),
        ({"allowed": torch.zeros(S, 2)}, "allowed", "be a tensor of int32"),
        ({"allowed": torch.zeros(S, 1, dtype=torch.int32)}, "allowed", r"have the shape \[3, 2\], got \[3, 1\]"),
        ({"edits": {1: 2.0}}, "edits", "be `Edits`, as `edits_of` makes them"),
        ({"edits": edits_of([{1: 2.0}])}, "edits.start", r"have the shape \[3\]"),
        ({"repetition_penalty": 0}, "repetition_penalty", "be from 2⁻⁶⁴ to 2⁶⁴"),
        ({"presence_penalty": math.inf}, "presence_penalty", "be from -2⁶⁴ to 2⁶⁴"),
        ({"frequency_penalty": "1"}, "frequency_penalty", "be from -2⁶⁴ to 2⁶⁴"),
        ({"top_logprobs": 65}, "top_logprobs", "be an integer from 0 to 64"),
    ],
)
def test_what_is_wrong_is_named(arguments: dict[str, Any], param: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        drawn(**arguments)
    assert caught.value.param == param
    assert isinstance(caught.value, ValueError)


def test_a_device_without_kernels_is_refused() -> None:
    arguments = {"logits": LOGITS.to("meta"), "seeds": SEEDS.to("meta"), "positions": POSITIONS.to("meta")}
    with pytest.raises(BackendError, match="`logits` must be on the CPU or an NVIDIA GPU, got meta"):
        sample(**arguments)
    with pytest.raises(InvalidRequest, match="be on the device of the logits, meta, got 'cpu'"):
        sample(**arguments | {"seeds": SEEDS})


def test_edits_are_ordered_and_checked() -> None:
    edits = edits_of([{7: 1.5, 2: -1.0}, None], [{7: 3}, {0: 0}])
    columns = {field.name: getattr(edits, field.name).tolist() for field in dataclasses.fields(Edits)}
    assert columns == {
        "start": [0, 2],
        "count": [2, 1],
        "token": [2, 7, 0],
        "bias": [-1.0, 1.5, 0.0],
        "seen": [-1, 3, 0],
    }
    for bias, seen, message in (
        ([{-1: 1.0}], None, r"`bias\[0\]` must be an integer from 0"),
        ([{1: math.inf}], None, r"`bias\[0\]\[1\]` must be a finite number, got inf"),
        ([{}], [{1: -2}], r"`seen\[0\]\[1\]` must be an integer from -1"),
        ([{}], [], "`seen` must have a row for each of the 1 of `bias`, got 0"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            edits_of(bias, seen)
    with pytest.raises(ValueError, match="edit_token"):
        drawn(edits=edits_of([{V: 1.0}, {}, {}]))


def test_a_workspace_on_the_cpu_serves_call_after_call() -> None:
    logits = torch.randn(4, V, generator=torch.Generator().manual_seed(1))
    numbers = torch.arange(4)
    workspace = new_workspace(4, V, "cpu")
    for top_p in (0.3, 0.9, 1.0):
        arguments = {"top_p": top_p, "seeds": numbers, "positions": numbers}
        kept = sample(logits, **arguments, workspace=workspace)
        assert torch.equal(kept.token, sample(logits, **arguments).token)
        assert torch.equal(kept.probability, sample(logits, **arguments).probability)
    with pytest.raises(InvalidRequest, match="workspace"):
        sample(logits[:, 1:], seeds=numbers, positions=numbers, workspace=workspace)


def test_a_workspace_is_for_calls_of_its_size() -> None:
    workspace = new_workspace(4, V, "cpu", truncates=False)
    assert workspace.fits(3, V, torch.device("cpu"), False)
    for other in ((5, V, torch.device("cpu"), False), (3, V + 1, torch.device("cpu"), False)):
        assert not workspace.fits(*other)
    assert not workspace.fits(3, V, torch.device("cpu"), True)
    assert not workspace.fits(3, V, torch.device("cuda"), False)


def test_warming_up_asks_for_every_kind_of_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU there is nothing to compile; the calls are made all the same, and must be right."""
    kinds = set()

    def watched(logits: torch.Tensor, **arguments: Any) -> None:
        assert (logits.shape[1], logits.dtype) == (V, torch.bfloat16)
        assert ("allowed" in arguments) == ("edits" in arguments)
        kinds.add(("edits" in arguments, arguments.get("top_k", 0) > 0, arguments.get("top_logprobs", 0) > 0))
        assert sample(logits, **arguments).status.tolist() == [0, 0]

    monkeypatch.setattr("genlib.kernels.sampler.api.sample", watched)
    warm_up("cpu", vocabulary=V, dtype=torch.bfloat16)
    assert len(kinds) == 8


@triton.jit
def convert_rows(settings: Any, work: Any, given: Any, none: Any) -> None:
    convert(settings, Integers(none, none, none), work, given, tl.program_id(0))


@pytest.mark.skipif(not IS_INTERPRETED, reason="Triton compiles in this process")
def test_tensors_are_converted_as_the_host_converts_numbers() -> None:
    """Bit for bit from float64; a logarithm may differ where it lies halfway between two float32, to 1e-15."""
    rng, n = np.random.default_rng(3), 150
    values = np.concatenate([rng.random(n), 10.0 ** rng.uniform(-12, 0, n), 2.0 ** -np.arange(60), [5e-324, 1e-310, 1]])
    temperatures = np.concatenate([1e-6 + values[:-3], 1 / values[: 2 * n], [0.0, 1e-6, 1e4, 1e-30, 1e30]])
    size = len(temperatures)
    top_p = np.resize(values, size)
    min_p = np.resize(np.concatenate([values, [0.0]]), size)
    work = new_workspace(size, 2, "cpu").work
    tensors = [torch.from_numpy(numbers) for numbers in (temperatures, top_p, min_p)]
    settings = Settings(tensors[0], work.top_k, tensors[1], tensors[2], work.stream, 1.0, 0.0)
    flags = given.TEMPERATURE.value + given.TOP_P.value + given.MIN_P.value
    with np.errstate(all="ignore"):
        convert_rows[(size,)](settings, work, flags, 0)
        assert work.scale.tolist() == [rows.row_scale(t) for t in temperatures]
        assert work.top_p.tolist() == [rows.row_top_p(p) for p in top_p]
        assert work.min_p.tolist() == [rows.row_min_p(p) for p in min_p]

"""Random calls of `genlib.kernels.sample` with every parameter in play, and their comparison with the C++ sampler.

Numbers are float32 and int32, so that all calls of one kind are one compiled kernel on a GPU.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from genlib.kernels import Edits, Sampled, edits_of, sample
from support.kernels import MIN_PS, TEMPERATURES, TOP_PS, assert_equal, top_ks
from support.random import random_edits
from support.sampling import PENALTIES

Arguments = dict[str, Any]
NO_TOPS = {"top_tokens": None, "top_probabilities": None, "top_logprobs": None}
SMALLEST_TEMPERATURE = 1.0000001e-6  # 1e-6 as a float32 is below 1e-6, and refused


def random_arguments(
    rng: np.random.Generator, V: int, S: int, changed: bool = False, top_logprobs: int = 0
) -> Arguments:
    """For S rows, each parameter often at a limit or off. changed: with masks, biases and penalties."""

    def some(values: Any, dtype: Any = np.float32) -> torch.Tensor:
        return torch.from_numpy(rng.choice(np.array(values, dtype), S))

    def words() -> torch.Tensor:
        return torch.from_numpy(rng.integers(-(2**63), 2**63, S))

    temperatures = [max(t, SMALLEST_TEMPERATURE) if t else t for t in TEMPERATURES]
    arguments = {
        "temperature": some([*temperatures, *rng.uniform(0.05, 3, 5)]),
        "top_k": some(top_ks(V), np.int32),
        "top_p": some([*TOP_PS, 1.0, 1.0, *rng.uniform(0.01, 1, 5)]),
        "min_p": some([*MIN_PS, 0.0, 0.0, *rng.uniform(0, 1, 3)]),
        "seeds": words(),
        "positions": words() & (2**63 - 1),
        "streams": words(),
        "top_logprobs": top_logprobs,
    }
    if changed:
        arguments |= {
            "allowed": random_masks(rng, V, S),
            "edits": Edits(*(torch.from_numpy(column) for column in random_edits(rng, V, S).values())),
            "repetition_penalty": some([1.0, 1.0, 1.1, 0.5, 2.0**-64, 2.0**64]),
            "presence_penalty": some(PENALTIES),
            "frequency_penalty": some(PENALTIES),
        }
    return arguments


def random_masks(rng: np.random.Generator, V: int, S: int) -> torch.Tensor:
    """`allowed` of S rows, half of which allow all: one of sixteen masks each."""
    shares = rng.choice([0.05, 0.5, 0.95], (16, 1, 1))
    masks = np.packbits(rng.random((16, (V + 31) // 32, 32)) < shares, axis=2).view(np.int32)[..., 0]
    masks[::2] = -1
    return torch.from_numpy(masks[rng.integers(0, 16, S)])


def moved(arguments: Mapping[str, Any], place: str) -> Arguments:
    """The arguments with all tensors on another device."""

    def move(value: Any) -> Any:
        if isinstance(value, Edits):
            return Edits(*(getattr(value, field.name).to(place) for field in dataclasses.fields(Edits)))
        return value.to(place) if isinstance(value, torch.Tensor) else value

    return {name: move(value) for name, value in arguments.items()}


def rows_of(arguments: Mapping[str, Any], rows: Any) -> Arguments:
    """The arguments of some of the rows, by their numbers."""

    def pick(value: Any) -> Any:
        if isinstance(value, Edits):
            return dataclasses.replace(value, start=value.start[rows], count=value.count[rows])
        return value[rows] if isinstance(value, torch.Tensor) else value

    return {name: pick(value) for name, value in arguments.items()}


def assert_as_on_the_cpu(got: Sampled, logits: torch.Tensor, arguments: Mapping[str, Any]) -> None:
    """Of logits and arguments on the CPU, where `sample` is the C++ sampler, which equals the reference."""
    expected = sample(logits, **arguments)
    columns = {
        field.name: None if (value := getattr(expected, field.name)) is None else value.numpy()
        for field in dataclasses.fields(Sampled)
    }
    assert_equal(got, columns, exact_rows(arguments, len(logits)), {})


def exact_rows(arguments: Mapping[str, Any], S: int) -> Any:
    """The rows whose model view is bit for bit: temperature 1."""
    temperature = arguments.get("temperature", 1.0)
    return temperature.cpu().numpy() == 1 if isinstance(temperature, torch.Tensor) else np.full(S, temperature == 1)


def call_kinds(V: int, S: int) -> list[Arguments]:
    """Changes to a call without mask, edits, truncation and most likely tokens that say the same in another way."""
    allow = {"allowed": torch.full((S, (V + 31) // 32), -1, dtype=torch.int32)}
    off = {"top_p": torch.ones(S), "top_k": torch.zeros(S, dtype=torch.int32)}
    none = {"edits": edits_of([None] * S)}
    return [off, allow, none, {"top_logprobs": 3}, allow | off, none | allow | {"top_logprobs": 5}]


def sampled_rows(drawn: Sampled, rows: Any) -> Sampled:
    """Some of the rows."""
    values = (getattr(drawn, field.name) for field in dataclasses.fields(Sampled))
    return Sampled(*(None if value is None else value[rows] for value in values))


def assert_identical(a: Sampled, b: Sampled) -> None:
    """Every field, bit for bit."""
    for field in dataclasses.fields(Sampled):
        x, y = getattr(a, field.name), getattr(b, field.name)
        assert (x is None) == (y is None), field.name
        assert x is None or torch.equal(x.view(torch.int32), y.view(torch.int32)), field.name

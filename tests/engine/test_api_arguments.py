"""The calls' arguments: the same for functions and their twins, and none is lost on the way to the request."""

from __future__ import annotations

import dataclasses
import inspect
import unittest.mock
from typing import Any, get_type_hints

import pytest
from support.engine import fake_engine

import genlib
from genlib import aio
from genlib.calls.options import BeamOptions, MultiOptions, TokenOptions


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The requests that engines are given, with their timeouts, and do not run."""
    requests: list[Any] = []

    def take(_: genlib.Engine, request: Any, *, timeout: float | None = None, **__: object) -> Any:
        requests.append((request, timeout))
        return unittest.mock.Mock()

    monkeypatch.setattr(genlib.Engine, "submit", take)
    monkeypatch.setattr(genlib.Engine, "run", take)
    return requests


def test_every_argument_reaches_its_request(caught: list[Any]) -> None:
    """The twins pass on what they are given, the functions each parameter."""
    token = {
        "max_tokens": 31, "temperature": 0.1, "top_p": 0.2, "top_k": 32, "min_p": 0.3, "seed": 33,
        "repetition_penalty": 0.4, "presence_penalty": 0.5, "frequency_penalty": 0.6, "logit_bias": {34: 0.7},
        "allowed_tokens": [35], "stop_sequences": ["a"], "min_tokens": 30, "ignore_eos": True,
        "include_stop": False, "probability": "sampling", "top_logprobs": 36, "timeout": 50,
        "token_mask": unittest.mock.Mock(spec=genlib.TokenMask),
    }  # fmt: skip
    multi = {**token, "n": 37, "keep_states": True}
    beam = {
        "num_beams": 40, "max_length": 41, "early_stopping": "never", "length_penalty": 0.8, "num_return": 38,
        "stop_sequences": ["b"], "keep_states": True, "timeout": 51,
    }  # fmt: skip
    for name, options in (("generate_token", token), ("generate_multi", multi), ("beam_search", beam)):
        assert set(options) == set(inspect.signature(getattr(genlib, name)).parameters) - {"state", "stream"}
        caught.clear()
        with fake_engine() as engine:
            state = engine.create_state("a")
            getattr(genlib, name)(state, **options)
            getattr(aio, name)(state, **options)
        assert len(caught) == 2
        for request, timeout in caught:
            stated = {f.name: getattr(request, f.name) for f in dataclasses.fields(request)}
            sampling = stated.pop("sampling", None)
            if sampling is not None:
                stated |= {f.name: getattr(sampling, f.name) for f in dataclasses.fields(sampling)}
            assert {**stated, "timeout": timeout} == {
                "state": state,
                **{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()},
            }


def test_twins_take_the_same_parameters():
    """The async options name just what the functions take, with the same types."""
    pairs = [
        (genlib.generate_token, TokenOptions, {"stream"}),
        (genlib.generate_multi, MultiOptions, set()),
        (genlib.beam_search, BeamOptions, set()),
    ]
    for function, options, extra in pairs:
        parameters = set(inspect.signature(function).parameters) - {"state"} - extra
        assert parameters == set(get_type_hints(options))
        hints = get_type_hints(function)
        assert all(hints[name] == hint for name, hint in get_type_hints(options).items())

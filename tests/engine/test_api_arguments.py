"""The calls' arguments: the same for functions and their twins, and none is lost on the way to the request."""

from __future__ import annotations

import dataclasses
import inspect
import unittest.mock
from typing import Any, get_type_hints

import genlib
from genlib import aio, api


class Catching:
    """A state and its engine in one, which keeps the requests that are made of it."""

    def __init__(self) -> None:
        self.engine = self
        self.requests: list[Any] = []

    def submit(self, request: Any, *, stream: bool = False) -> Any:
        self.requests.append(request)
        return unittest.mock.Mock()


def test_every_argument_reaches_its_request():
    """By its name: the twins pass all by name, the functions by their order."""
    token = {
        "max_tokens": 31, "temperature": 0.1, "top_p": 0.2, "top_k": 32, "min_p": 0.3, "seed": 33,
        "repetition_penalty": 0.4, "presence_penalty": 0.5, "frequency_penalty": 0.6, "logit_bias": {34: 0.7},
        "allowed_tokens": [35], "stop_sequences": ["a"], "min_tokens": 30, "ignore_eos": True,
        "probability": "sampling", "top_logprobs": 36, "token_mask": unittest.mock.Mock(spec=genlib.TokenMask),
    }  # fmt: skip
    multi = {**token, "n": 37, "keep_states": True}
    beam = {
        "num_beams": 40, "max_length": 41, "early_stopping": "never", "length_penalty": 0.8, "num_return": 38,
        "stop_sequences": ["b"], "keep_states": True,
    }  # fmt: skip
    for name, options in (("generate_token", token), ("generate_multi", multi), ("beam_search", beam)):
        state = Catching()
        assert set(options) == set(inspect.signature(getattr(genlib, name)).parameters) - {"state", "stream"}
        getattr(genlib, name)(state, **options)
        getattr(aio, name)(state, **options)
        by_order, by_name = state.requests
        if name == "beam_search":  # it takes the stop sequences as they come
            by_name = dataclasses.replace(by_name, stop_sequences=tuple(by_name.stop_sequences))
        assert by_order == by_name


def test_twins_take_the_same_parameters():
    """The async options name just what the functions take, with the same types."""
    pairs = [
        (genlib.generate_token, api.TokenOptions, {"stream"}),
        (genlib.generate_multi, aio.MultiOptions, set()),
        (genlib.beam_search, aio.BeamOptions, set()),
    ]
    for function, options, extra in pairs:
        parameters = set(inspect.signature(function).parameters) - {"state"} - extra
        assert parameters == set(get_type_hints(options))
        hints = get_type_hints(function)
        assert all(hints[name] == hint for name, hint in get_type_hints(options).items())

"""Bodies over the wire: what is decoded reaches its request; answers hold finite numbers only."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wire import BODIES, STATE, token

from genlib.calls.requests import BeamSearch, GenerateMulti, GenerateToken
from genlib.calls.results import Piece, TokenResult
from genlib.errors import InvalidRequest, ModelError, QueueFull, UnknownField
from genlib.sampling.params import Sampling
from genlib.server import encode, failure
from genlib.server.decode import decode
from genlib.server.wire import AppendBody, BeamBody, Body, MultiBody, TokenBody

A_TOKEN: dict[str, Any] = {
    "state_id": "s",
    "text": "a",
    "new_tokens": ("a",),
    "token_ids": (1,),
    "logprobs": (-0.7,),
    "finished": False,
    "finish_reason": None,
    "stop_sequence": None,
}


@pytest.mark.parametrize(
    ("body", "request_type"), [(TokenBody, GenerateToken), (MultiBody, GenerateMulti), (BeamBody, BeamSearch)]
)
def test_defaults_and_names_are_those_of_the_types(body: type[Any], request_type: type[Any]) -> None:
    assert decode(b'{"state_id": "s"}', body).request(STATE) == request_type(STATE)
    over_http = {field.name for field in msgspec.structs.fields(body)} - {"state_id", "prompt", "tokens", "stream"}
    in_python = {field.name for field in dataclasses.fields(request_type)} - {"state", "token_mask"}
    if "sampling" in in_python:
        in_python = in_python - {"sampling"} | {field.name for field in dataclasses.fields(Sampling)}
    assert over_http == in_python


def test_every_field_reaches_the_request() -> None:
    fields = {"max_tokens": 9, "min_tokens": 2, "temperature": 0.5, "top_p": 0.9, "top_k": 3, "min_p": 0.1,
              "seed": 5, "stop_sequences": ["\n"], "include_stop": False, "ignore_eos": True, "probability": "sampling",
              "repetition_penalty": 1.2, "presence_penalty": 0.3, "frequency_penalty": -0.4,
              "logit_bias": {"7": 2, "0": -1.5}, "allowed_tokens": [3, 7, 0], "top_logprobs": 4}  # fmt: skip
    sampling = Sampling(0.5, 0.9, 3, 0.1, 5, 1.2, 0.3, -0.4, {0: -1.5, 7: 2.0}, (3, 7, 0))
    common = {"max_tokens": 9, "min_tokens": 2, "sampling": sampling, "stop_sequences": ("\n",),
              "include_stop": False, "ignore_eos": True, "probability": "sampling", "top_logprobs": 4}  # fmt: skip
    assert decode(token(**fields).encode(), TokenBody).request(STATE) == GenerateToken(STATE, **common)
    multi = decode(token(**fields, n=3, keep_states=True).encode(), MultiBody).request(STATE)
    assert multi == GenerateMulti(STATE, **common, n=3, keep_states=True)
    search = {"num_beams": 5, "max_length": 20, "early_stopping": "never", "length_penalty": 0.5,
              "num_return": 2, "keep_states": True}  # fmt: skip
    beam = decode(token(**search, stop_sequences=[]).encode(), BeamBody).request(STATE)
    assert beam == BeamSearch(STATE, **search, stop_sequences=())


@pytest.mark.parametrize("seed", [0, 2**53 + 1, 2**63, 2**64 - 1])
def test_a_seed_survives(seed: int) -> None:
    assert decode(token(seed=seed).encode(), TokenBody).request(STATE).sampling.seed == seed
    piece = Piece(**A_TOKEN, probabilities=(0.5,), seed=seed)
    assert json.loads(msgspec.json.encode(encode.stream_event("s", piece)))["seed"] == seed


def test_integers_will_do_for_numbers() -> None:
    assert decode(token(temperature=1, top_p=1).encode(), TokenBody).temperature == 1.0


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert decode(rb'{"text": "\ud83d\ude00"}', AppendBody).text == "\U0001f600"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = sorted({field.name for body in BODIES for field in msgspec.structs.fields(body)})


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=6), JSON, max_size=6), st.sampled_from(BODIES))
def test_any_object_is_decoded_or_refused(document: dict[str, Any], body: type[Body]) -> None:
    try:
        decoded = decode(json.dumps(document).encode(), body)
    except InvalidRequest:
        return
    kept = {name: getattr(decoded, name) for name in document}
    # A NaN passes as the number it is: the types refuse it.
    assert all(repr(kept[k]) == repr(v) or kept[k] == v for k, v in document.items())


@given(st.binary(max_size=64))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode(data, TokenBody)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_never_sent(value: float) -> None:
    result = TokenResult(**A_TOKEN, probabilities=(value,), seed=1)
    with pytest.raises(ModelError):
        encode.token_answer("s", result)
    with pytest.raises(ModelError):
        encode.stream_event("s", dataclasses.replace(result, probabilities=(0.5,), logprobs=(value,)))


def test_an_error_body_has_four_fields_and_tells_no_secrets() -> None:
    status, detail = failure.detail(UnknownField("unknown field `x\ud800`", param="x\ud800"))
    assert (status, detail.param, detail.type) == (400, "x\\ud800", "invalid_request_error")
    assert list(json.loads(failure.encode(detail))["error"]) == ["message", "type", "param", "code"]
    for error in (RuntimeError("/secret/path"), ModelError("/secret/path", param="p")):
        status, detail = failure.detail(error)
        assert status == 500
        assert b"secret" not in failure.encode(detail)
    assert failure.answer(QueueFull("full", retry_after=3)).headers["retry-after"] == "3"


@pytest.mark.parametrize(
    ("number", "seed"),
    [
        ("5.0", 5),
        ("-0.0", 0),
        ("5e0", 5),
        ("9007199254740993.0", 2**53 + 1),
        ("1.8446744073709551615e19", 2**64 - 1),
        ("18446744073709551615.000", 2**64 - 1),
    ],
)
def test_an_integer_may_be_written_with_a_fraction_or_an_exponent(number: str, seed: int) -> None:
    """As in JSON Schema, and exactly."""
    assert decode(f'{{"state_id": "s", "seed": {number}}}'.encode(), TokenBody).seed == seed


@pytest.mark.parametrize(
    "number", ["5.5", "9007199254740993.5", "1e-99999999999999999999", "1e300", "0." + "0" * 990 + "1"]
)
def test_other_numbers_are_no_integers(number: str) -> None:
    with pytest.raises(InvalidRequest, match="`seed` must be an integer or null"):
        decode(f'{{"state_id": "s", "seed": {number}}}'.encode(), TokenBody)
    with pytest.raises(InvalidRequest, match="1002 characters; at most 1000"):
        decode(b'{"state_id": "s", "min_p": 0.' + b"0" * 1000 + b"}", TokenBody)
    assert decode(f'{{"state_id": "s", "min_p": {number}}}'.encode(), TokenBody).min_p == float(number)

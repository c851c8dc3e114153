"""Bodies over the wire: decoding is strict and names the field; answers hold finite numbers only."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlib.calls.requests import BeamSearch, GenerateMulti, GenerateToken
from genlib.calls.results import Piece, TokenResult
from genlib.errors import InvalidRequest, ModelError, QueueFull, UnknownField
from genlib.sampling.params import Sampling
from genlib.server import answers, failure
from genlib.server.decode import MAX_DIGITS, decode
from genlib.server.wire import (
    AppendBody,
    BeamBody,
    Body,
    CreateBody,
    EmptyBody,
    MultiBody,
    ScoreBody,
    TokenBody,
    TruncateBody,
)

STATE: Any = object()
BODIES = [TokenBody, MultiBody, BeamBody, CreateBody, AppendBody, TruncateBody, ScoreBody, EmptyBody]


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


def refusal(data: bytes | str, body: type[Body] = TokenBody) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        decode(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data, body)
    return caught.value


def token(**fields: Any) -> str:
    return json.dumps({"state_id": "s", **fields})


@pytest.mark.parametrize(
    ("body", "request_type"), [(TokenBody, GenerateToken), (MultiBody, GenerateMulti), (BeamBody, BeamSearch)]
)
def test_defaults_and_names_are_those_of_the_types(body: type[Any], request_type: type[Any]) -> None:
    assert decode(b'{"state_id": "s"}', body).request(STATE) == request_type(STATE)
    over_http = {field.name for field in msgspec.structs.fields(body)} - {"state_id", "stream"}
    in_python = {field.name for field in dataclasses.fields(request_type)} - {"state", "token_mask"}
    if "sampling" in in_python:
        in_python = in_python - {"sampling"} | {field.name for field in dataclasses.fields(Sampling)}
    assert over_http == in_python


def test_every_field_reaches_the_request() -> None:
    fields = {"max_tokens": 9, "min_tokens": 2, "temperature": 0.5, "top_p": 0.9, "top_k": 3, "min_p": 0.1,
              "seed": 5, "stop_sequences": ["\n"], "ignore_eos": True, "probability": "sampling",
              "repetition_penalty": 1.2, "presence_penalty": 0.3, "frequency_penalty": -0.4,
              "logit_bias": {"7": 2, "0": -1.5}, "allowed_tokens": [3, 7, 0], "top_logprobs": 4}  # fmt: skip
    sampling = Sampling(0.5, 0.9, 3, 0.1, 5, 1.2, 0.3, -0.4, {0: -1.5, 7: 2.0}, (3, 7, 0))
    common = {"max_tokens": 9, "min_tokens": 2, "sampling": sampling, "stop_sequences": ("\n",),
              "ignore_eos": True, "probability": "sampling", "top_logprobs": 4}  # fmt: skip
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
    assert json.loads(msgspec.json.encode(answers.stream_event(piece)))["seed"] == seed


def test_integers_will_do_for_numbers() -> None:
    assert decode(token(temperature=1, top_p=1).encode(), TokenBody).temperature == 1.0


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"max_tokens": "5"}, "max_tokens", '`max_tokens` must be an integer, got "5"'),
        ({"max_tokens": 5.0}, "max_tokens", "`max_tokens` must be an integer, got 5.0"),
        ({"max_tokens": True}, "max_tokens", "`max_tokens` must be an integer, got true"),
        ({"max_tokens": None}, "max_tokens", "`max_tokens` must be an integer, got null"),
        ({"max_tokens": [5]}, "max_tokens", "`max_tokens` must be an integer, got a list"),
        ({"max_tokens": {}}, "max_tokens", "`max_tokens` must be an integer, got an object"),
        ({"temperature": "hot"}, "temperature", '`temperature` must be a number, got "hot"'),
        ({"temperature": False}, "temperature", "`temperature` must be a number, got false"),
        ({"top_p": None}, "top_p", "`top_p` must be a number, got null"),
        ({"seed": 1.5}, "seed", "`seed` must be an integer or null, got 1.5"),
        ({"stream": 1}, "stream", "`stream` must be true or false, got 1"),
        ({"state_id": 3}, "state_id", "`state_id` must be a string, got 3"),
        ({"probability": "both"}, "probability", '`probability` must be "model" or "sampling", got "both"'),
        (
            {"stop_sequences": "."},
            "stop_sequences",
            '`stop_sequences` must be a list of strings or null, got "."',
        ),
        ({"stop_sequences": [".", 1]}, "stop_sequences[1]", "`stop_sequences[1]` must be a string, got 1"),
        ({"logit_bias": [1]}, "logit_bias", "`logit_bias` must be an object of numbers or null, got a list"),
        ({"logit_bias": {"5": "x"}}, "logit_bias[5]", '`logit_bias[5]` must be a number, got "x"'),
        (
            {"allowed_tokens": {"5": 1}},
            "allowed_tokens",
            "`allowed_tokens` must be a list of integers or null, got an object",
        ),
        ({"allowed_tokens": [5, 5.0]}, "allowed_tokens[1]", "`allowed_tokens[1]` must be an integer, got 5.0"),
        ({"top_logprobs": None}, "top_logprobs", "`top_logprobs` must be an integer, got null"),
    ],
)
def test_a_wrong_type_is_named(fields: dict[str, Any], param: str, message: str) -> None:
    error = refusal(token(**fields))
    assert (error.param, error.message) == (param, message)


@pytest.mark.parametrize(
    ("body", "fields", "param"),
    [
        (TokenBody, {"max_tokens": 0}, "max_tokens"),
        (TokenBody, {"max_tokens": -1}, "max_tokens"),
        (TokenBody, {"min_tokens": -1}, "min_tokens"),
        (TokenBody, {"min_tokens": 17}, "min_tokens"),
        (TokenBody, {"temperature": -0.1}, "temperature"),
        (TokenBody, {"temperature": 1e-7}, "temperature"),
        (TokenBody, {"temperature": 10001}, "temperature"),
        (TokenBody, {"top_p": 0}, "top_p"),
        (TokenBody, {"top_p": 1.3}, "top_p"),
        (TokenBody, {"top_k": -1}, "top_k"),
        (TokenBody, {"min_p": 1.01}, "min_p"),
        (TokenBody, {"min_p": -0.01}, "min_p"),
        (TokenBody, {"seed": -1}, "seed"),
        (TokenBody, {"seed": 2**64}, "seed"),
        (TokenBody, {"stop_sequences": [""]}, "stop_sequences[0]"),
        (TokenBody, {"stop_sequences": ["x"] * 65}, "stop_sequences"),
        (TokenBody, {"repetition_penalty": 0}, "repetition_penalty"),
        (MultiBody, {"repetition_penalty": 101}, "repetition_penalty"),
        (TokenBody, {"presence_penalty": 100.5}, "presence_penalty"),
        (TokenBody, {"frequency_penalty": -101}, "frequency_penalty"),
        (TokenBody, {"logit_bias": {"5": 101}}, "logit_bias[5]"),
        (TokenBody, {"logit_bias": {"x": 1}}, "logit_bias"),
        (TokenBody, {"logit_bias": {"-1": 1}}, "logit_bias"),
        (TokenBody, {"logit_bias": {"05": 1}}, "logit_bias"),
        (TokenBody, {"logit_bias": {"\ud800": 1}}, "logit_bias"),
        (TokenBody, {"logit_bias": {str(i): 1 for i in range(1025)}}, "logit_bias"),
        (TokenBody, {"allowed_tokens": []}, "allowed_tokens"),
        (TokenBody, {"allowed_tokens": [1, -1]}, "allowed_tokens[1]"),
        (TokenBody, {"top_logprobs": 65}, "top_logprobs"),
        (MultiBody, {"n": 0}, "n"),
        (MultiBody, {"keep_states": "yes"}, "keep_states"),
        (BeamBody, {"num_beams": 0}, "num_beams"),
        (BeamBody, {"max_length": 0}, "max_length"),
        (BeamBody, {"early_stopping": "always"}, "early_stopping"),
        (BeamBody, {"early_stopping": 1}, "early_stopping"),
        (BeamBody, {"num_return": 5}, "num_return"),
        (BeamBody, {"num_return": 0}, "num_return"),
    ],
)
def test_a_value_out_of_range_is_named(body: type[Any], fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(token(**fields).encode(), body).request(STATE)
    assert caught.value.param == param
    assert f"`{param}` must" in caught.value.message


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize(
    ("body", "field"),
    [(TokenBody, "temperature"), (TokenBody, "top_p"), (MultiBody, "min_p"), (BeamBody, "length_penalty"),
     (TokenBody, "max_tokens"), (TokenBody, "seed"), (MultiBody, "n"), (BeamBody, "num_beams")],
)  # fmt: skip
def test_what_is_not_finite_is_named(body: type[Any], field: str, constant: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(f'{{"state_id": "s", "{field}": {constant}}}'.encode(), body).request(STATE)
    assert caught.value.param == field


@pytest.mark.parametrize("body", BODIES)
def test_an_unknown_field_is_named(body: type[Body]) -> None:
    error = refusal(b'{"temprature": 1}', body)
    assert isinstance(error, UnknownField)
    assert error.param == "temprature"


@pytest.mark.parametrize(
    ("body", "param"), [(TokenBody, "state_id"), (AppendBody, "text"), (TruncateBody, "num_tokens")]
)
def test_a_missing_field_is_named(body: type[Body], param: str) -> None:
    assert refusal(b"{}", body).param == param


def test_a_field_given_twice_is_refused() -> None:
    assert refusal(b'{"state_id": "s", "seed": 1, "seed": 2}').param == "seed"


@pytest.mark.parametrize("document", ["", " ", "nope", "{", "[]", "null", "5", '"x"', "{}{}", '{"a": 1,}', "\ufeff{}"])
def test_what_is_no_json_object_is_refused(document: str) -> None:
    assert "the body must be" in refusal(document).message


def test_what_is_no_utf8_is_refused() -> None:
    assert "UTF-8" in refusal(b'{"state_id": "\xff"}').message
    assert "UTF-8" in refusal('{"state_id": "s"}'.encode("utf-16")).message


@pytest.mark.parametrize(
    ("document", "body", "param"),
    [
        (r'{"state_id": "\ud800"}', TokenBody, "state_id"),
        (r'{"state_id": "s", "stop_sequences": ["a", "\udc00b"]}', TokenBody, "stop_sequences[1]"),
        (r'{"prompt": "\ud83d"}', CreateBody, "prompt"),
    ],
)
def test_half_a_surrogate_pair_is_refused(document: str, body: type[Body], param: str) -> None:
    assert refusal(document, body).param == param


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert decode(rb'{"text": "\ud83d\ude00"}', AppendBody).text == "\U0001f600"


def test_depth_and_digits_are_bounded() -> None:
    assert "deep" in refusal('{"state_id": ' + "[" * 200_000).message
    assert "digits" in refusal(f'{{"seed": {"9" * (MAX_DIGITS + 1)}}}').message
    assert "digits" in refusal(f'{{"seed": {"9" * 100_000}}}').message


def test_a_refusal_does_not_repeat_a_long_value() -> None:
    for document in (token(max_tokens="x" * 10_000), token(**{"y" * 10_000: 1})):
        assert len(refusal(document).message) < 1000


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
        answers.token_answer(result)
    with pytest.raises(ModelError):
        answers.stream_event(dataclasses.replace(result, probabilities=(0.5,), logprobs=(value,)))


def test_an_error_body_has_four_fields_and_tells_no_secrets() -> None:
    status, detail = failure.detail(UnknownField("unknown field `x\ud800`", param="x\ud800"))
    assert (status, detail.param, detail.type) == (400, "x\\ud800", "invalid_request_error")
    assert list(json.loads(failure.encode(detail))["error"]) == ["message", "type", "param", "code"]
    for error in (RuntimeError("/secret/path"), ModelError("/secret/path", param="p")):
        status, detail = failure.detail(error)
        assert status == 500
        assert b"secret" not in failure.encode(detail)
    assert failure.answer(QueueFull("full", retry_after=3)).headers["retry-after"] == "3"

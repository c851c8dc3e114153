"""Bodies over the wire: decoding is strict and names the field."""

from __future__ import annotations

from typing import Any

import pytest
from support.wire import BODIES, STATE, refusal, token

from genlib.errors import InvalidRequest, UnknownField
from genlib.server.decode import MAX_DIGITS, decode
from genlib.server.wire import AppendBody, BeamBody, Body, CreateBody, MultiBody, TokenBody, TruncateBody


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"max_tokens": "5"}, "max_tokens", '`max_tokens` must be an integer or null, got "5"'),
        ({"max_tokens": 5.5}, "max_tokens", "`max_tokens` must be an integer or null, got 5.5"),
        ({"max_tokens": True}, "max_tokens", "`max_tokens` must be an integer or null, got true"),
        ({"max_tokens": [5]}, "max_tokens", "`max_tokens` must be an integer or null, got a list"),
        ({"max_tokens": {}}, "max_tokens", "`max_tokens` must be an integer or null, got an object"),
        ({"temperature": "hot"}, "temperature", '`temperature` must be a number, got "hot"'),
        ({"temperature": False}, "temperature", "`temperature` must be a number, got false"),
        ({"top_p": None}, "top_p", "`top_p` must be a number, got null"),
        ({"seed": 1.5}, "seed", "`seed` must be an integer or null, got 1.5"),
        ({"stream": 1}, "stream", "`stream` must be true or false, got 1"),
        ({"state_id": 3}, "state_id", "`state_id` must be a string or null, got 3"),
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
        ({"allowed_tokens": [5, 5.5]}, "allowed_tokens[1]", "`allowed_tokens[1]` must be an integer, got 5.5"),
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


@pytest.mark.parametrize(("body", "param"), [(AppendBody, "text"), (TruncateBody, "num_tokens")])
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


def test_depth_and_digits_are_bounded() -> None:
    assert "deep" in refusal('{"state_id": ' + "[" * 200_000).message
    assert "digits" in refusal(f'{{"seed": {"9" * (MAX_DIGITS + 1)}}}').message
    assert "digits" in refusal(f'{{"seed": {"9" * 100_000}}}').message


def test_a_refusal_does_not_repeat_a_long_value() -> None:
    for document in (token(max_tokens="x" * 10_000), token(**{"y" * 10_000: 1})):
        assert len(refusal(document).message) < 1000


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ('"probability": "\\ud800"', "probability"),
        ('"state_id": "a\\udfff"', "state_id"),
        ('"stop_sequences": ["a", "\\ud83d"]', "stop_sequences[1]"),
        ('"logit_bias": {"\\ud800": 1}', "logit_bias"),
        ('"max_tokens": "\\ud800"', "max_tokens"),
        ('"allowed_tokens": ["\\ud800"]', "allowed_tokens[0]"),
        ('"seed": {"a": ["\\ud800"]}', "seed[a][0]"),
    ],
)
def test_half_a_surrogate_pair_is_refused_wherever_it_is(fields: str, param: str) -> None:
    error = refusal("{" + ("" if "state_id" in fields else '"state_id": "s", ') + fields + "}")
    assert error.param == param
    assert "surrogate" in error.message

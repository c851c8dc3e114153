"""What the shim refuses. Each refusal leaves the state as it was and the server alive."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.http import GENERATE, Client, refused
from support.server import FakeEngine, FakeState, clients, engines, states

from genlib.errors import EngineClosed, InvalidRequest, ModelError, QueueFull
from genlib.server import create_app

engine, client, state = map(pytest.fixture, (engines, clients, states))


@pytest.mark.parametrize("path", GENERATE)
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"not json", (400, "invalid_parameter", None)),
        (b"[]", (400, "invalid_parameter", None)),
        (b"", (400, "invalid_parameter", None)),
        (b"{}", (400, "invalid_parameter", "state_id")),
        (b'{"state_id": "state-0"}', (404, "state_not_found", "state_id")),
        (b'{"state_id": "STATE", "x": 1}', (400, "unknown_field", "x")),
        (b'{"state_id": "STATE", "state_id": "b"}', (400, "invalid_parameter", "state_id")),
        (b'{"state_id": null}', (400, "invalid_parameter", "state_id")),
        (rb'{"state_id": "\ud800"}', (400, "invalid_parameter", "state_id")),
        (b'{"state_id": "STATE", "stop_sequences": [""]}', (400, "invalid_parameter", "stop_sequences[0]")),
        (b'{"state_id": "STATE", "stop_sequences": ".", "x\xff": 1}', (400, "invalid_parameter", None)),
    ],
)
def test_a_bad_body(
    client: Client, state: FakeState, path: str, body: bytes, expected: tuple[int, str, str | None]
) -> None:
    refused(client.send("POST", path, body=body.replace(b"STATE", state.id.encode())), *expected)
    assert state.text == "fox"
    assert client.get("/health").status == 200


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        *[(path, "temperature", v) for path in GENERATE[:2] for v in ("NaN", "-1", "1e5", '"1"', "null", "true")],
        *[(path, "top_p", v) for path in GENERATE[:2] for v in ("NaN", "0", "1.3", "-Infinity", "[]")],
        *[(path, "max_tokens", v) for path in GENERATE[:2] for v in ("0", "-5", "2.5", '"5"', "NaN", "false")],
        *[(path, "seed", v) for path in GENERATE[:2] for v in ("-1", "18446744073709551616", "0.5", '"7"')],
        *[(path, "stop_sequences", v) for path in GENERATE for v in ('"."', "5", "{}")],
        ("/v1/generate/token", "stream", '"yes"'),
        *[("/v1/generate/multi", "n", v) for v in ("0", "-1", "1025", "1.5", "null", "NaN")],
        *[("/v1/generate/beam", "num_beams", v) for v in ("0", "-1", '"4"', "null")],
        *[("/v1/generate/beam", "max_length", v) for v in ("0", "-1", "NaN", "1.5")],
        *[("/v1/generate/beam", "early_stopping", v) for v in ('"always"', "1", "null")],
        *[("/v1/generate/beam", "length_penalty", v) for v in ("NaN", "Infinity", '"1"')],
    ],
)  # fmt: skip
def test_a_bad_value_is_named(client: Client, state: FakeState, path: str, field: str, value: str) -> None:
    body = f'{{"state_id": "{state.id}", "{field}": {value}}}'.encode()
    error = refused(client.send("POST", path, body=body), 400, "invalid_parameter", field)
    assert error["type"] == "invalid_request_error"
    assert f"`{field}` must" in error["message"]
    assert state.text == "fox"


def test_bad_states(client: Client, engine: FakeEngine, state: FakeState) -> None:
    path = f"/v1/states/{state.id}"
    for document in ({}, {"prompt": "a", "tokens": [1]}, {"prompt": None}):
        refused(client.post("/v1/states", document), 400, "invalid_parameter", "prompt")
    refused(client.post("/v1/states", {"prompt": ""}), 400, "invalid_parameter", "prompt")
    refused(client.post("/v1/states", {"tokens": [1, -1]}), 400, "invalid_parameter", "tokens[1]")
    refused(client.post("/v1/states", {"tokens": [1, "a"]}), 400, "invalid_parameter", "tokens[1]")
    refused(
        client.post("/v1/states", {"prompt": "a", "stop_sequences": None}),
        400, "invalid_parameter", "stop_sequences",
    )  # fmt: skip
    refused(client.post("/v1/states", {"prompt": "x" * 65}), 400, "context_length_exceeded", "prompt")
    refused(client.post(f"{path}/append", {"text": 5}), 400, "invalid_parameter", "text")
    refused(client.post(f"{path}/truncate", {"num_tokens": 4}), 400, "invalid_parameter", "num_tokens")
    refused(client.post(f"{path}/fork", {"n": 2}), 400, "unknown_field", "n")
    for method, route in (("POST", "fork"), ("POST", "append"), ("POST", "truncate"), ("POST", "score")):
        body = {"append": b'{"text": "a"}', "score": b'{"text": "a"}', "truncate": b'{"num_tokens": 1}'}
        answer = client.send(method, f"/v1/states/state-0/{route}", body=body.get(route, b""))
        refused(answer, 404, "state_not_found", "state_id")
    refused(client.send("DELETE", "/v1/states/state-0"), 404, "state_not_found", "state_id")
    assert list(engine.open) == [state.id]
    assert state.text == "fox"


def test_unknown_routes_and_methods(client: Client) -> None:
    for path in ("/v1", "/v1/generate", "/v2/states", "/v1/states/", "/v1/states/a/b", "/docs"):
        refused(client.get(path), 404, "not_found")
    answer = client.get("/v1/generate/token")
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    refused(client.send("PUT", "/v1/states"), 405, "method_not_allowed")
    refused(client.send("BREW", "/health"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "headers",
    [{"content-type": "text/plain"}, {"content-type": ""}, {"content-type": "application/jsonp"},
     {"content-type": "application/json; charset=latin-1"}, {"content-encoding": "gzip"}],
)  # fmt: skip
def test_the_body_must_be_declared_as_json(client: Client, state: FakeState, headers: dict[str, str]) -> None:
    answer = client.post("/v1/generate/token", {"state_id": state.id}, headers=headers)
    refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["Application/JSON", 'application/json; charset="UTF-8"'])
def test_json_may_be_declared_at_length(client: Client, state: FakeState, content_type: str) -> None:
    answer = client.post("/v1/generate/token", {"state_id": state.id}, headers={"content-type": content_type})
    assert answer.status == 200


def test_a_body_has_a_limit_with_and_without_a_length(engine: FakeEngine) -> None:
    client = Client(create_app(engine, max_body=100))
    long = json.dumps({"prompt": "x" * 100}).encode()
    refused(client.send("POST", "/v1/states", body=long), 413, "body_too_large")
    refused(client.send("POST", "/v1/states", body=[long[:60], long[60:]]), 413, "body_too_large")
    refused(client.send("POST", "/v1/states", headers={"content-length": "101"}), 413, "body_too_large")
    short = json.dumps({"prompt": "x" * 10}).encode()
    assert client.send("POST", "/v1/states", body=[short[:9], short[9:]]).status == 201
    client.close()


def test_the_default_limit_is_8_mib(client: Client) -> None:
    document = b'{"prompt": "%s"}'
    fits = document % (b"x" * ((8 << 20) - len(document) + 2))
    refused(client.send("POST", "/v1/states", body=fits), 400, "context_length_exceeded", "prompt")
    refused(client.send("POST", "/v1/states", body=fits + b" "), 413, "body_too_large")


def test_a_key_guards_all_but_the_probes(engine: FakeEngine, state: FakeState) -> None:
    client = Client(create_app(engine, api_key="sésame"))
    path = f"/v1/states/{state.id}"
    for sent in (None, "Bearer", "Bearer ", "Bearer wrong", "Bearer SÉSAME", "Basic sésame", "sésame"):
        headers = {} if sent is None else {"authorization": sent}
        for guarded in (path, "/", "/openapi.json"):
            answer = client.get(guarded, headers=headers)
            refused(answer, 401, "invalid_api_key")
            assert answer.headers["www-authenticate"] == "Bearer"
        body = client.post("/v1/generate/token", {"state_id": state.id}, headers=headers)
        refused(body, 401, "invalid_api_key")
    assert client.get(path, headers={"authorization": "Bearer sésame"}).status == 200
    assert client.get(path, headers={"authorization": "bearer sésame"}).status == 200
    assert [client.get(route).status for route in ("/health", "/ready", "/metrics")] == [200] * 3
    client.close()


@pytest.mark.parametrize(
    ("parameters", "param"),
    [({"api_key": ""}, "api_key"), ({"keep_alive": 0}, "keep_alive"), ({"max_body": -1}, "max_body")],
)
def test_create_app_refuses_what_it_cannot_use(engine: FakeEngine, parameters: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        create_app(engine, **parameters)  # type: ignore[arg-type]
    assert caught.value.param == param


def test_errors_of_the_engine_have_their_status(client: Client, engine: FakeEngine, state: FakeState) -> None:
    body = {"state_id": state.id}
    engine.refusal = QueueFull("256 calls wait already", retry_after=2)
    answer = client.post("/v1/generate/multi", body)
    refused(answer, 429, "queue_full")
    assert answer.headers["retry-after"] == "2"
    engine.refusal = EngineClosed("the engine was closed")
    refused(client.post("/v1/generate/beam", body), 503, "closed")
    engine.refusal = None
    too_long = {"state_id": state.id, "max_tokens": 62}
    refused(client.post("/v1/generate/token", too_long), 400, "context_length_exceeded", "max_tokens")
    assert state.text == "fox"


@pytest.mark.parametrize("failure", [RuntimeError("at /home/user/secret.py"), ModelError("/secret is NaN")])
def test_an_internal_error_is_logged_and_not_told(
    client: Client, engine: FakeEngine, state: FakeState, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    engine.fail_after, engine.failure = 2, failure
    with caplog.at_level(logging.ERROR, "genlib.server"):
        answer = client.post("/v1/generate/token", {"state_id": state.id})
    assert answer.status == 500
    assert answer.json()["error"]["type"] == "server_error"
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body
    assert "secret" in caplog.text
    assert state.text == "fox"
    engine.fail_after = None
    assert client.post("/v1/generate/token", {"state_id": state.id}).status == 200


def test_a_probability_that_is_no_number_is_an_error(client: Client, engine: FakeEngine, state: FakeState) -> None:
    engine.probability = float("nan")
    for path in GENERATE[:2]:
        refused(client.post(path, {"state_id": state.id}), 500, "model_error")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
FIELDS = ["max_tokens", "temperature", "top_p", "seed", "stop_sequences", "stream", "n", "num_beams",
          "max_length", "early_stopping", "text", "prompt", "tokens", "num_tokens", "min_p"]  # fmt: skip
PATHS = [*GENERATE, "/v1/states", "/v1/states/ID/append", "/v1/states/ID/truncate", "/v1/states/ID/score",
         "/v1/states/ID/fork"]  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PATHS), st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3), st.booleans())
def test_no_document_breaks_the_server(
    client: Client, engine: FakeEngine, path: str, document: dict[str, Any], named: bool
) -> None:
    engine.open.clear()
    state = engine.create_state("fox")
    if named:
        document = {**document, "state_id": state.id}
    answer = client.post(path.replace("ID", state.id), document)
    assert answer.status < 500, answer.body
    if answer.status >= 400:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert (state.text, list(engine.open)) == ("fox", [state.id])
    assert client.get(f"/v1/states/{state.id}").status == 200


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PATHS), st.binary(max_size=40))
def test_no_bytes_break_the_server(client: Client, engine: FakeEngine, path: str, body: bytes) -> None:
    assert client.send("POST", path, body=body).status in ((400, 404) if body else (400, 404, 201))

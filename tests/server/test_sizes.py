"""No small request asks for a huge response, and no large one is decoded into a huge document."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.http import GENERATE, Client, refused
from support.server import CONTEXT, FakeEngine, FakeState, clients, engines, states

from genlib.errors import InvalidRequest
from genlib.server.decode import MAX_CONTAINERS, MAX_STRINGS, check_shape
from genlib.server.fields import MAX_VALUES
from genlib.server.wire import BeamBody, MultiBody, TokenBody

engine = pytest.fixture(engines)
client = pytest.fixture(clients)
state = pytest.fixture(states)


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        (GENERATE[1], {"n": 1024, "max_tokens": 32, "top_logprobs": 4}, "max_tokens"),
        (GENERATE[1], {"n": 1024, "max_tokens": None, "top_logprobs": 2}, "max_tokens"),
        (GENERATE[1], {"n": 256, "max_tokens": 50, "top_logprobs": 64}, "max_tokens"),
        (GENERATE[2], {"num_beams": 10**6, "max_length": 10}, "max_length"),
    ],
)
def test_a_response_has_a_largest_size(
    client: Client, engine: FakeEngine, state: FakeState, path: str, fields: dict[str, Any], param: str
) -> None:
    error = refused(client.post(path, {"state_id": state.id, **fields}), 400, "invalid_parameter", param)
    assert f"at most {MAX_VALUES} tokens and top logprobs" in error["message"]
    assert not engine.calls


def test_what_is_as_large_as_allowed_is_sent(client: Client, state: FakeState) -> None:
    body = {"state_id": state.id, "n": 1024, "max_tokens": 8, "top_logprobs": 15}
    answer = client.post(GENERATE[1], body)
    assert answer.status == 200
    assert len(answer.json()["continuations"]) == 1024
    large = client.post(GENERATE[0], {"state_id": state.id, "max_tokens": CONTEXT - 3, "top_logprobs": 64})
    assert large.status == 200
    streamed = client.post(GENERATE[0], {"state_id": large.json()["state_id"], "max_tokens": 1, "stream": True})
    assert streamed.status == 400, "the context is full"


def test_a_score_has_a_largest_size(client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genlib.server.handlers.MAX_VALUES", 100)
    path = f"/v1/states/{engine.create_state('f').id}/score"
    assert client.post(path, {"text": "a" * 50}).status == 200
    refused(client.post(path, {"texts": ["a" * 50, "a" * 51]}), 400, "invalid_parameter", "texts")


def test_how_much_a_response_can_contain() -> None:
    assert TokenBody(state_id="s", max_tokens=10, top_logprobs=4).num_values(100) == 50
    assert TokenBody(state_id="s", max_tokens=None).num_values(100) == 100
    assert TokenBody(state_id="s", max_tokens=10**30).num_values(100) == 100
    assert MultiBody(state_id="s", max_tokens=10, top_logprobs=4, n=3).num_values(100) == 150
    assert BeamBody(state_id="s", max_length=10, num_beams=8).num_values(100) == 80
    assert BeamBody(state_id="s", max_length=10, num_beams=8, num_return=2).num_values(100) == 20


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('"\\[]{}a\n', max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('"\\[{a', max_size=4), inner, max_size=4),
    max_leaves=12,
)


def counted(document: Any) -> tuple[int, int]:
    """Strings, names included, and lists and objects."""
    if isinstance(document, str):
        return 1, 0
    if isinstance(document, dict):
        inner = [counted(value) for value in document.values()]
        return len(document) + sum(s for s, _ in inner), 1 + sum(c for _, c in inner)
    if isinstance(document, list):
        inner = [counted(value) for value in document]
        return sum(s for s, _ in inner), 1 + sum(c for _, c in inner)
    return 0, 0


@given(DOCUMENTS, st.booleans(), st.integers(0, 6), st.integers(0, 4))
def test_strings_lists_and_objects_are_counted(document: Any, ascii_only: bool, strings: int, containers: int) -> None:
    data = json.dumps(document, ensure_ascii=ascii_only).encode()
    found = counted(document)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genlib.server.decode.MAX_STRINGS", strings)
        patch.setattr("genlib.server.decode.MAX_CONTAINERS", containers)
        if found[0] > strings or found[1] > containers:
            with pytest.raises(InvalidRequest, match="the body must have at most"):
                check_shape(data, 100)
        else:
            check_shape(data, 100)


@given(st.binary(max_size=40))
def test_the_count_ends_on_any_bytes(data: bytes) -> None:
    check_shape(data, 100)
    check_shape(b'{"' + data, 100)


@pytest.mark.parametrize("item", ["[]", "{}", '""', "[[]]", '{"a": 1}'])
def test_a_large_body_of_small_things_is_refused(client: Client, item: str) -> None:
    body = '{"tokens": [' + ",".join([item] * (max(MAX_STRINGS, MAX_CONTAINERS) + 1)) + " " * (1 << 14) + "]}"
    error = refused(client.send("POST", "/v1/states", body=body.encode()), 400, "invalid_parameter")
    assert error["message"].startswith("the body must have at most")


def test_a_list_of_more_numbers_than_any_model_takes_is_refused_by_its_name(client: Client, engine: FakeEngine) -> None:
    most = engine.vocab_size
    body = '{"stop_sequences": ["],[,"], "tokens": [' + "5," * most + "5]}"
    error = refused(client.send("POST", "/v1/states", body=body.encode()), 400, "invalid_parameter", "tokens")
    assert error["message"] == f"`tokens` must have at most {most} items, got {most + 1}"


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.lists(st.text(',[]"a', max_size=9)), st.integers(1, 9))
def test_only_numbers_are_counted(numbers: list[int], texts: list[str], most: int) -> None:
    data = json.dumps({"texts": texts, "tokens": numbers}).encode()
    if len(numbers) > most:
        with pytest.raises(InvalidRequest, match=f"`tokens` must have at most {most} items, got {len(numbers)}"):
            check_shape(data, most)
    else:
        check_shape(data, most)

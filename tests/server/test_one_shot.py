"""Calls on a prompt: each has a state of its own, which is gone when the call has ended, whatever way it ends."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.engine import FakeModel, check_pages_back, fake_engine, wait_until_idle
from support.http import GENERATE, Client, exchange, read_events, refused

import genlib
from genlib.server import create_app

PROMPT = "A fox"
CALLS: list[tuple[str, dict[str, Any]]] = [
    (GENERATE[0], {"max_tokens": 6, "seed": 7}),
    (GENERATE[0], {"max_tokens": 6, "seed": 7, "stream": True}),
    (GENERATE[1], {"max_tokens": 6, "seed": 7, "n": 3}),
    (GENERATE[2], {"num_beams": 3, "max_length": 5}),
]


@pytest.fixture
def gate() -> threading.Semaphore:
    """Each step of the engine takes one."""
    return threading.Semaphore(10_000)


@pytest.fixture
def engine(gate: threading.Semaphore) -> Iterator[genlib.Engine]:
    with fake_engine(FakeModel(gate=gate)) as engine:
        yield engine
        gate.release(10_000)
        wait_until_idle(engine)
        for state in engine.states():
            state.close()
        check_pages_back(engine)


@pytest.fixture
def client(engine: genlib.Engine) -> Iterator[Client]:
    client = Client(create_app(engine, keep_alive=0.05))
    yield client
    client.close()


@pytest.mark.parametrize("given", [{"prompt": PROMPT}, {"tokens": [257, *PROMPT.encode()]}])
@pytest.mark.parametrize(("path", "fields"), CALLS)
def test_the_answer_is_that_of_a_state(
    engine: genlib.Engine, client: Client, path: str, fields: dict[str, Any], given: dict[str, Any]
) -> None:
    named = client.post(path, {"state_id": engine.create_state(PROMPT).id, **fields})
    own = client.post(path, {**given, "state_id": None, **fields})
    assert own.status == 200
    if fields.get("stream"):
        for mine, its in zip(read_events(own.body.decode())[0], read_events(named.body.decode())[0], strict=True):
            if mine.data != "[DONE]":
                assert json.loads(mine.data) == {**json.loads(its.data), "state_id": None}
    else:
        assert own.json() == {**named.json(), "state_id": None}
    assert len(engine.states()) == 1


@pytest.mark.parametrize(
    ("path", "fields"), [(GENERATE[1], {"n": 2, "max_tokens": 4}), (GENERATE[2], {"num_beams": 2})]
)
def test_results_that_are_kept_stay(engine: genlib.Engine, client: Client, path: str, fields: dict[str, Any]) -> None:
    answer = client.post(path, {"prompt": PROMPT, **fields, "keep_states": True}).json()
    assert len(answer["state_ids"]) == 2
    assert {state.id for state in engine.states()} == set(answer["state_ids"])
    assert all(engine.state(state_id).text.startswith(PROMPT) for state_id in answer["state_ids"])


@pytest.mark.parametrize("path", GENERATE)
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "state_id"),
        ({"prompt": PROMPT, "tokens": [5]}, "state_id"),
        ({"prompt": PROMPT, "state_id": "s"}, "state_id"),
        ({"prompt": "x" * 300}, "prompt"),
        ({"tokens": [5, 999]}, "tokens[1]"),
        ({"tokens": []}, "tokens"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": PROMPT, "stop_sequences": [""]}, "stop_sequences[0]"),
    ],
)
def test_what_is_refused_leaves_no_state(
    engine: genlib.Engine, client: Client, path: str, fields: dict[str, Any], param: str
) -> None:
    answer = client.post(path, fields)
    assert (answer.status, answer.json()["error"]["param"]) == (400, param)
    assert engine.states() == []


def test_no_more_than_the_queue_takes(engine: genlib.Engine, client: Client) -> None:
    engine.scheduler.max_queue = 0
    for path, fields in CALLS:
        assert client.post(path, {"prompt": PROMPT, **fields}).status == 429
    assert engine.states() == []
    engine.scheduler.max_queue = 256


@pytest.mark.parametrize(("path", "fields"), CALLS)
def test_who_leaves_leaves_no_state(
    engine: genlib.Engine, client: Client, gate: threading.Semaphore, path: str, fields: dict[str, Any]
) -> None:
    while gate.acquire(blocking=False):
        pass

    async def leave() -> None:
        going, heard = asyncio.Event(), []
        body = json.dumps({"prompt": PROMPT, **fields}).encode()
        request = asyncio.create_task(exchange(client.app, "POST", path, body=body, leave=going, heard=heard))
        gate.release(3)
        while engine.stats().steps < 3 or (fields.get("stream") and len(heard) < 2):
            await asyncio.sleep(0.001)
        (own,) = engine.states()
        for method, route in (("GET", f"/v1/states/{own.id}"), ("DELETE", f"/v1/states/{own.id}")):
            refused(await exchange(client.app, method, route), 404, "state_not_found", "state_id")
        assert (await exchange(client.app, "GET", "/v1/states")).json()["states"] == []
        going.set()
        await asyncio.sleep(0.01)
        gate.release(10_000)
        await asyncio.wait_for(request, 5)

    client.run(leave())
    assert engine.states() == []


def test_a_model_that_fails_leaves_no_state(engine: genlib.Engine, client: Client) -> None:
    engine._model.broken = RuntimeError("broken")  # type: ignore[attr-defined]
    for path, fields in CALLS:
        assert client.post(path, {"prompt": PROMPT, **fields}).status == 500
    assert engine.states() == []


def test_a_request_that_is_cancelled_while_its_state_is_made(
    engine: genlib.Engine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    making, go_on = threading.Event(), threading.Event()
    create = engine.create_state

    def slow(*args: Any, **kwargs: Any) -> genlib.State:
        making.set()
        go_on.wait()
        return create(*args, **kwargs)

    monkeypatch.setattr(engine, "create_state", slow)

    async def cancel() -> None:
        body = json.dumps({"prompt": PROMPT}).encode()
        request = asyncio.create_task(exchange(client.app, "POST", GENERATE[1], body=body))
        while not making.is_set():
            await asyncio.sleep(0.001)
        request.cancel()
        await asyncio.sleep(0.01)
        go_on.set()
        await asyncio.gather(request, return_exceptions=True)

    client.run(cancel())
    deadline = time.monotonic() + 5
    while engine.states() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert engine.states() == []

"""Streams: their events, their silence, their failures."""

from __future__ import annotations

import asyncio
import json

import pytest
from support.http import GENERATE, MORE, TOKEN, Answer, Client, exchange, read_events, refused
from support.server import FakeEngine, FakeState, clients, engines, states

from genlib.errors import EngineClosed, QueueFull

engine, client, state = map(pytest.fixture, (engines, clients, states))


def test_a_stream_has_a_token_an_event_then_the_totals(client: Client, engine: FakeEngine, state: FakeState) -> None:
    body = {"state_id": state.id, "max_tokens": 6, "seed": 3}
    plain = client.post("/v1/generate/token", body).json()
    state.truncate(3)
    answer = client.post("/v1/generate/token", {**body, "stream": True})
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
    events, comments = read_events(answer.body.decode())
    assert comments == []
    assert {event.name for event in events} == {"message"}
    assert events[-1].data == "[DONE]"
    *pieces, totals = [json.loads(event.data) for event in events[:-1]]
    assert [set(one) for one in (*pieces, totals)] == [{"state_id", "done", *TOKEN, *MORE}] * 7
    assert [piece["done"] for piece in pieces] == [False] * 6
    assert totals == {**plain, "done": True}
    assert "".join(piece["text"] for piece in pieces) == totals["text"]
    assert [piece["new_tokens"][0] for piece in pieces] == totals["new_tokens"]
    assert state.text == "fox" + totals["text"]


def test_a_stream_that_is_idle_says_so(client: Client, engine: FakeEngine, state: FakeState) -> None:
    engine.hold_after = 2

    async def listen() -> tuple[Answer, int]:
        heard: list[bytes] = []
        body = json.dumps({"state_id": state.id, "max_tokens": 4, "stream": True}).encode()
        answer = asyncio.create_task(exchange(client.app, "POST", GENERATE[0], body=body, heard=heard))
        while b"".join(heard).count(b": keep-alive") < 3:
            await asyncio.sleep(0.005)
        before = b"".join(heard).count(b"data: ")
        engine.hold_after = None
        engine.free.set()
        return await answer, before

    answer, before = client.run(listen())
    assert before == 2
    events, comments = read_events(answer.body.decode())
    assert set(comments) == {"keep-alive"}
    assert len(events) == 6


def test_what_fails_before_the_first_token_has_its_own_status(
    client: Client, engine: FakeEngine, state: FakeState
) -> None:
    body = {"state_id": state.id, "stream": True}
    engine.refusal = QueueFull("full")
    refused(client.post(GENERATE[0], body), 429, "queue_full")
    engine.refusal = None
    refused(client.post(GENERATE[0], {**body, "max_tokens": 0}), 400, "invalid_parameter", "max_tokens")
    refused(client.post(GENERATE[0], {"state_id": "?", "stream": True}), 404, "state_not_found", "state_id")
    engine.fail_after, engine.failure = 0, EngineClosed("the engine was closed")
    refused(client.post(GENERATE[0], body), 503, "closed")


def test_what_fails_in_mid_stream_is_an_event(client: Client, engine: FakeEngine, state: FakeState) -> None:
    engine.fail_after, engine.failure = 2, EngineClosed("the engine was closed")
    answer = client.post(GENERATE[0], {"state_id": state.id, "stream": True})
    assert answer.status == 200
    events, _ = read_events(answer.body.decode())
    assert [event.name for event in events] == ["message", "message", "error", "message"]
    error = json.loads(events[2].data)["error"]
    assert (error["code"], error["type"]) == ("closed", "unavailable_error")
    assert events[3].data == "[DONE]"
    assert state.text == "fox"

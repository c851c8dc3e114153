"""Bodies that come slowly, and many at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.http import Answer, Client, exchange, refused
from support.server import FakeEngine, clients, engines

from genlib.server import body, create_app

engine = pytest.fixture(engines)
client = pytest.fixture(clients)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "IDLE", 0.1)
    monkeypatch.setattr(body, "TOTAL", 0.3)


async def send(app: Any, parts: Iterator[bytes], pause: float) -> Answer:
    """A request whose body's parts come one by one; the last is followed by nothing."""
    start: dict[str, Any] = {"status": 0, "headers": []}
    chunks: list[bytes] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        part = next(parts, None)
        if part is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": part, "more_body": True}

    async def answer(message: Any) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            chunks.append(message["body"])

    scope = {
        "type": "http", "method": "POST", "path": "/v1/states", "query_string": b"", "root_path": "",
        "headers": [(b"content-type", b"application/json")], "scheme": "http", "server": ("test", 80),
    }  # fmt: skip
    await asyncio.wait_for(app(scope, receive, answer), 10)
    received = {k.decode(): v.decode() for k, v in start["headers"]}
    return Answer(start["status"], received, b"".join(chunks))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("number", "pause"), [(0, 0), (1, 0), (10, 0), (1000, 0.05)])
def test_a_body_that_does_not_end_times_out(client: Client, number: int, pause: float) -> None:
    answer = client.run(send(client.app, iter([b" "] * number), pause))
    refused(answer, 408, "request_timeout")
    assert answer.headers["connection"] == "close"


def test_unfinished_bodies_hold_bounded_memory_and_give_it_back(engine: FakeEngine) -> None:
    app = create_app(engine, max_body=1000)  # type: ignore[arg-type]
    whole = json.dumps({"prompt": "fox"}).encode()

    async def flood() -> None:
        held = [asyncio.create_task(send(app, iter([b" " * 999]), 0)) for _ in range(body.HELD)]
        await asyncio.sleep(0.1)
        refused(await send(app, iter([b" " * 999]), 0), 503, "overloaded")
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        assert (await exchange(app, "POST", "/v1/states", body=whole)).status == 201

    asyncio.run(flood())


def test_a_call_that_runs_holds_no_bytes(engine: FakeEngine) -> None:
    app = create_app(engine, max_body=1000)  # type: ignore[arg-type]
    state = engine.create_state("fox")
    padded = json.dumps({"state_id": state.id}).encode() + b" " * 900

    async def flood() -> None:
        engine.free.clear()
        calls = [asyncio.create_task(exchange(app, "POST", "/v1/generate/multi", body=padded)) for _ in range(20)]
        while len(engine.calls) < 20:
            await asyncio.sleep(0.01)
        created = await exchange(app, "POST", "/v1/states", body=b'{"prompt": "fox"}')
        engine.free.set()
        assert [answer.status for answer in await asyncio.gather(*calls)] == [200] * 20
        assert created.status == 201

    asyncio.run(flood())

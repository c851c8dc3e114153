"""Clients that leave, and calls at the same time: in process and over a socket."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount
from support.http import GENERATE, Answer, Client, exchange, read_events, refused
from support.server import FakeEngine, FakeState, clients, engines, states

from genlib.server import create_app

engine, client, state = map(pytest.fixture, (engines, clients, states))


async def leave_in_the_middle(client: Client, engine: FakeEngine, path: str, document: Any) -> Answer:
    leave, heard = asyncio.Event(), []
    body = json.dumps(document).encode()
    request = asyncio.create_task(exchange(client.app, "POST", path, body=body, leave=leave, heard=heard))
    while not engine.calls or (document.get("stream") and not heard):
        await asyncio.sleep(0.001)
    leave.set()
    answer = await asyncio.wait_for(request, 5)
    assert await asyncio.to_thread(engine.calls[0].ended.wait, 5)
    return answer


@pytest.mark.parametrize(
    ("path", "fields"),
    [(GENERATE[0], {}), (GENERATE[0], {"stream": True}), (GENERATE[1], {"n": 2, "keep_states": True}),
     (GENERATE[2], {"keep_states": True})],
)  # fmt: skip
def test_a_client_that_leaves_cancels_its_call(
    client: Client, engine: FakeEngine, state: FakeState, path: str, fields: dict[str, Any]
) -> None:
    if fields.get("stream"):
        engine.hold_after = 2
    else:
        engine.free.clear()
    client.run(leave_in_the_middle(client, engine, path, {"state_id": state.id, **fields}))
    assert engine.calls[0].cancelled.is_set()
    assert (state.text, list(engine.open)) == ("fox", [state.id])
    engine.hold_after = None
    engine.free.set()
    assert client.post(GENERATE[0], {"state_id": state.id}).status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_is_seen_through_a_hosts_middleware(
    engine: FakeEngine, state: FakeState, stream: bool
) -> None:
    async def passing(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    host = Starlette(
        routes=[Mount("/sub", create_app(engine))], middleware=[Middleware(BaseHTTPMiddleware, dispatch=passing)]
    )
    client = Client(host)
    if stream:
        engine.hold_after = 2
    else:
        engine.free.clear()
    document = {"state_id": state.id, "stream": stream}
    client.run(leave_in_the_middle(client, engine, "/sub" + GENERATE[0], document))
    client.close()
    assert engine.calls[0].cancelled.is_set()
    assert state.text == "fox"


def test_a_server_that_cancels_its_handler_cancels_the_call(
    client: Client, engine: FakeEngine, state: FakeState
) -> None:
    async def abort(document: dict[str, Any]) -> None:
        request = asyncio.create_task(exchange(client.app, "POST", GENERATE[0], body=json.dumps(document).encode()))
        while not engine.calls:
            await asyncio.sleep(0.001)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    for fields in ({}, {"stream": True}):
        engine.free.clear()
        engine.calls.clear()
        client.run(abort({"state_id": state.id, **fields}))
        assert engine.calls[0].ended.wait(5)
        assert engine.calls[0].cancelled.is_set()
        assert state.text == "fox"


def test_a_client_that_leaves_within_its_body_leaves_nothing(client: Client, engine: FakeEngine) -> None:
    async def leave() -> list[Any]:
        said: list[Any] = []
        messages = [{"type": "http.request", "body": b'{"pro', "more_body": True}, {"type": "http.disconnect"}]
        scope = {"type": "http", "method": "POST", "path": "/v1/states", "query_string": b"", "headers": []}

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            said.append(message)

        await client.app(scope, receive, send)
        return said

    assert client.run(leave())[0]["status"] == 499
    assert engine.open == {}


def test_a_connection_that_breaks_while_it_is_written_cancels(
    client: Client, engine: FakeEngine, state: FakeState
) -> None:
    """Servers of ASGI 2.4 and later tell by an OSError of send."""

    async def talk() -> None:
        body = json.dumps({"state_id": state.id, "stream": True, "max_tokens": 4}).encode()
        asked = [{"type": "http.request", "body": body, "more_body": False}]
        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": GENERATE[0], "query_string": b"", "headers": headers}
        sent = 0

        async def receive() -> Any:
            return asked.pop(0) if asked else await asyncio.Event().wait()

        async def send(_: Any) -> None:
            nonlocal sent
            sent += 1
            if sent == 3:
                raise OSError("broken pipe")

        await client.app(scope, receive, send)

    engine.hold_after = 2
    client.run(talk())
    assert engine.calls[0].ended.wait(5)
    assert engine.calls[0].cancelled.is_set()
    assert state.text == "fox"


def test_a_second_writer_is_refused_and_readers_are_not(client: Client, engine: FakeEngine, state: FakeState) -> None:
    async def meet() -> list[Answer]:
        engine.free.clear()
        path, body = f"/v1/states/{state.id}", json.dumps({"state_id": state.id}).encode()
        first = asyncio.create_task(exchange(client.app, "POST", GENERATE[0], body=body))
        reader = asyncio.create_task(exchange(client.app, "POST", GENERATE[1], body=body))
        while len(engine.calls) < 2:
            await asyncio.sleep(0.001)
        refusals = [
            await exchange(client.app, "POST", GENERATE[0], body=body),
            await exchange(client.app, "POST", f"{path}/append", body=b'{"text": "a"}'),
            await exchange(client.app, "POST", f"{path}/truncate", body=b'{"num_tokens": 1}'),
            await exchange(client.app, "DELETE", path),
        ]
        assert (await exchange(client.app, "GET", path)).json()["text"] == "fox"
        engine.free.set()
        return [*refusals, await first, await reader]

    *refusals, first, reader = client.run(meet())
    for answer in refusals:
        refused(answer, 409, "state_busy")
    assert (first.status, reader.status) == (200, 200)


# Over a real socket.


@pytest.fixture
def address(engine: FakeEngine) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(create_app(engine), log_level="warning", lifespan="off"))
    sock = socket.create_server(("127.0.0.1", 0))  # listens at once, before the thread runs
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def test_curl_reads_a_stream_as_it_comes_and_its_leaving_cancels(
    engine: FakeEngine, state: FakeState, address: str
) -> None:
    engine.hold_after = 2
    document = json.dumps({"state_id": state.id, "max_tokens": 4, "stream": True})
    command = ["curl", "-sN", "-H", "Content-Type: application/json", "-d", document, address + GENERATE[0]]

    def two_events(curl: subprocess.Popen[bytes]) -> bytes:
        assert curl.stdout is not None
        return b"".join(curl.stdout.readline() for _ in range(4))

    with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
        assert two_events(curl).count(b"data: ") == 2  # they are here while the engine is held
        curl.kill()
    assert engine.calls[0].ended.wait(5)
    assert state.text == "fox"
    with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
        engine.free.set()
        first = two_events(curl)
        engine.hold_after = None
        engine.free.set()
        rest = curl.stdout.read()  # type: ignore[union-attr]
    events, _ = read_events((first + rest).decode())
    assert [event.data for event in events][-1] == "[DONE]"
    assert len(events) == 6
    assert state.text == "foxab é"


def test_a_plain_request_over_a_socket_is_cancelled_too(engine: FakeEngine, state: FakeState, address: str) -> None:
    engine.free.clear()
    document = json.dumps({"state_id": state.id})
    command = ["curl", "-s", "-H", "Content-Type: application/json", "-d", document, address + GENERATE[0]]
    with subprocess.Popen(command) as curl:
        while not engine.calls:
            assert curl.poll() is None
        curl.kill()
    assert engine.calls[0].ended.wait(5)
    assert engine.calls[0].cancelled.is_set()
    assert state.text == "fox"

"""What a client can do to a connection: send what is not HTTP, send slowly, read slowly, open too many."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from support.http import Answer, refused
from support.server import FakeEngine

from genlib.server import create_app
from genlib.server.door import Door
from genlib.server.protocol import AcceptErrors, Bounds, protocol
from genlib.server.run import listen

PATIENCE = 20.0  # seconds after which a server that says nothing is taken for broken


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the path, and many bytes after it if it is /large."""
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    body = scope["path"].encode() + b"." * (scope["path"] == "/large" and 1 << 26)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(bounds: Bounds, app: ASGIApp = echo) -> Iterator[tuple[str, int]]:
    """The address of a server on a thread."""
    door = Door()
    door.open(app)
    config = uvicorn.Config(door, http=protocol(bounds), ws="none", lifespan="off", log_level="warning")
    server = uvicorn.Server(config)
    with listen("127.0.0.1", 0) as sock:
        thread = threading.Thread(target=server.run, args=([sock],))
        thread.start()
        try:
            yield sock.getsockname()
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with serving(Bounds(connections=3, headers=0.5, unread=0.5)) as found:
        yield found


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=PATIENCE) as client:
        yield client


def exchange(address: tuple[str, int], *parts: bytes) -> Answer:
    """The one answer that comes until the server closes the connection."""
    with connected(address) as client:
        for part in parts:
            client.sendall(part)
        return answer_in(read_all(client))


def read_all(client: socket.socket) -> bytes:
    received = b""
    while part := client.recv(1 << 16):
        received += part
    return received


def answer_in(received: bytes) -> Answer:
    if not received:
        return Answer(0, {}, b"")
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert int(headers.get("content-length", len(body))) == len(body)
    return Answer(int(status.split()[1]), headers, body)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nname with space: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\xff" * 100 + b"\r\n\r\n",
    ],
)
def test_what_is_not_http_gets_the_documented_error(address: tuple[str, int], request_bytes: bytes) -> None:
    answer = exchange(address, request_bytes)
    error = refused(answer, 400, "malformed_request")
    assert error["message"].startswith("the request is not valid HTTP/1.1: ")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("path", ["/v1/generate/token", "/nowhere", "/health"])
def test_a_body_that_is_not_http_is_answered_once(caplog: pytest.LogCaptureFixture, path: str) -> None:
    """By the server, though the app answers too; and nothing is logged of what clients send."""
    engine = FakeEngine()
    app = create_app(engine)  # type: ignore[arg-type]
    with caplog.at_level(logging.INFO), serving(Bounds(connections=30), app) as address:
        for _ in range(10):
            head = f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            answer = exchange(address, head.encode() + b"zz\r\n")
            assert answer.status in (400, 404, 405)
            answer.json()
        exchange(address, b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_headers_are_bounded(address: tuple[str, int]) -> None:
    answer = exchange(address, b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"y" * (1 << 20))
    refused(answer, 431, "headers_too_large")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://a.example/v1/states", "/v1/states"),
        ("HTTPS://a.example:8000/v1%2Fstates?limit=1", "/v1/states"),
        ("http://a.example", "/"),
        ("/http://a.example/x", "/http://a.example/x"),
    ],
)
def test_targets_may_be_whole_urls(address: tuple[str, int], target: str, path: str) -> None:
    answer = exchange(address, f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert (answer.status, answer.body) == (200, path.encode())


def test_headers_that_do_not_come_time_out(address: tuple[str, int]) -> None:
    refused(exchange(address, b"GET / HTTP/1.1\r\nHost: a\r\n"), 408, "request_timeout")
    assert exchange(address).status == 0, "a connection on which nothing was sent"


def test_a_slow_drip_of_headers_times_out(address: tuple[str, int]) -> None:
    with connected(address) as client:
        began = time.monotonic()
        client.sendall(b"GET / HTTP/1.1\r\n")
        client.settimeout(0.1)
        received = b""
        while not received and time.monotonic() - began < PATIENCE:
            client.sendall(b"x: y\r\n")
            try:
                received = client.recv(1 << 16)
            except TimeoutError:
                continue
    refused(answer_in(received), 408, "request_timeout")


def test_the_second_request_of_a_connection_times_out_too(address: tuple[str, int]) -> None:
    with connected(address) as client:
        client.sendall(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HT")
        first, _, second = read_all(client).partition(b"/first")
    assert first.startswith(b"HTTP/1.1 200")
    refused(answer_in(second), 408, "request_timeout")


def test_a_body_that_nobody_reads_holds_nothing() -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(refuse, http=protocol(Bounds(connections=3, headers=0.5)), ws="none", lifespan="off")
    server = uvicorn.Server(config)
    with listen("127.0.0.1", 0) as sock:
        thread = threading.Thread(target=server.run, args=([sock],))
        thread.start()
        with connected(sock.getsockname()) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            ended = until_closed(client, lambda: client.sendall(b"x"))
        server.should_exit = True
        thread.join(PATIENCE)
    assert ended


def until_closed(client: socket.socket, send: Callable[[], None]) -> bool:
    """Sends on and on; whether the server closes the connection."""
    end = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < end:
            send()
            time.sleep(0.05)
    except (ConnectionResetError, BrokenPipeError):
        return True
    return False


def test_connections_are_bounded(address: tuple[str, int]) -> None:
    with connected(address) as one, connected(address) as two, connected(address) as three:
        time.sleep(0.1)
        answer = exchange(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        refused(answer, 503, "too_many_connections")
        assert answer.headers["retry-after"] == "1"
        three.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert answer_in(read_all(three)).body == b"/x"
        del one, two


def test_a_client_that_does_not_read_is_cut_off(address: tuple[str, int]) -> None:
    with connected(address) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(2)
        assert len(read_all(client)) < 1 << 26


def test_a_client_that_reads_slowly_gets_it_all(address: tuple[str, int]) -> None:
    received = 0
    with connected(address) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        while part := client.recv(1 << 23):
            received += len(part)
            time.sleep(0.02)
    assert received > 1 << 26


def test_a_shortage_of_file_descriptors_is_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    handle, loop = AcceptErrors(), asyncio.new_event_loop()
    context: dict[str, Any] = {
        "message": "socket.accept() out of system resource",
        "exception": OSError(24, "Too many open files"),
    }
    with caplog.at_level(logging.ERROR):
        for _ in range(1000):
            handle(loop, context)
        handle(loop, {"message": "another thing"})
    loop.close()
    assert [r.getMessage() for r in caplog.records] == [
        "cannot accept connections: [Errno 24] Too many open files",
        "another thing",
    ]

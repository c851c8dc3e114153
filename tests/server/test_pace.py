"""Bodies in very many chunks are read by turns."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from genlib.server.pace import EVENTS, PacedConnection, ReadingTurns
from genlib.server.protocol import Bounds

from .test_connections import connected, serving

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(chunks: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"


async def mirror(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with serving(Bounds(connections=100, headers=10), mirror) as found:
        yield found


def bodies(address: tuple[str, int], sent: bytes, count: int) -> list[bytes]:
    """The bodies of so many answers, whose requests are sent at once on one connection."""
    found, client = [], h11.Connection(h11.CLIENT)
    with connected(address) as sock:
        sender = threading.Thread(target=sock.sendall, args=(sent,))
        sender.start()
        for _ in range(count):
            client.send(h11.Request(method="POST", target="/", headers=[("Host", "a"), ("Content-Length", "0")]))
            client.send(h11.EndOfMessage())
            found.append(body_of(client, sock))
            client.start_next_cycle()
        sender.join()
    return found


def body_of(client: h11.Connection, sock: socket.socket) -> bytes:
    body = b""
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            client.receive_data(sock.recv(1 << 16))
        elif isinstance(event, h11.Data):
            body += event.data
    return body


pieces = st.binary(min_size=1, max_size=3)
lists = st.tuples(st.lists(pieces, max_size=20), st.sampled_from([1, 5, 100]), st.integers(0, 70_000))


@settings(max_examples=40, deadline=None)
@given(st.lists(lists, min_size=1, max_size=4))
def test_whatever_the_chunks_all_bodies_arrive(
    address: tuple[str, int], plan: list[tuple[list[bytes], int, int]]
) -> None:
    """Of requests that are sent on one connection, one behind the other."""
    requests = [few * times + [b"x" * large] * (large > 0) for few, times, large in plan]
    sent = b"".join(HEAD + chunked(chunks) for chunks in requests)
    assert bodies(address, sent, len(requests)) == [b"".join(chunks) for chunks in requests]


def test_the_loop_goes_on_while_a_body_is_read() -> None:
    """The app is given the body in as many parts as there are turns."""

    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        parts, more = 0, True
        while more:
            more = (await receive())["more_body"]
            parts += 1
        await mirror(scope, iter_of(b"%d" % parts), send)

    with serving(Bounds(connections=3), count) as address:
        (parts,) = bodies(address, HEAD + chunked([b"y"] * 50_000), 1)
    assert int(parts) > 20


def iter_of(body: bytes) -> Receive:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def test_a_connection_gives_few_events_at_a_time() -> None:
    connection = PacedConnection(1 << 14)
    connection.receive_data(HEAD + chunked([b"x"] * 100))
    counts = []
    while connection.their_state is not h11.DONE:
        connection.left = EVENTS
        counts.append(sum(1 for _ in iter(connection.next_event, h11.NEED_DATA)))
        if connection.their_state is h11.DONE:
            break
    assert counts[:-1] == [EVENTS] * (102 // EVENTS)
    assert sum(counts) >= 102


class Reading:
    """Takes so many turns, and one that fails."""

    def __init__(self, turns: ReadingTurns, name: str, count: int, told: list[str], fails_at: int = 0) -> None:
        self.turns, self.name, self.count, self.told, self.fails_at = turns, name, count, told, fails_at

    def read_on(self) -> None:
        self.told.append(self.name)
        self.count -= 1
        if self.count == self.fails_at - 1:
            raise ValueError("no more")
        if self.count > 0:
            self.turns.join(self)


def test_turns_go_round_and_one_that_fails_stops_nobody() -> None:
    async def run() -> list[str]:
        turns, told = ReadingTurns(), list[str]()
        asyncio.get_running_loop().set_exception_handler(lambda *_: told.append("error"))
        for name, fails_at in [("a", 0), ("b", 3), ("c", 0)]:
            turns.join(Reading(turns, name, 3, told, fails_at))
        while turns:
            await asyncio.sleep(0)
        return told

    told = asyncio.run(run())
    assert [name for name in told if name in "ac"] == ["a", "c"] * 3
    assert told.count("b") == 1
    assert told.count("error") == 1


def test_the_loop_goes_on_between_the_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genlib.server.pace.SLICE", 0)  # no time at all: after each turn the loop goes on

    async def run() -> list[int]:
        turns, seen = ReadingTurns(), list[int]()
        told: list[str] = []
        for name in "abcd":
            turns.join(Reading(turns, name, 25, told))
        while len(told) < 100:
            await asyncio.sleep(0)
            seen.append(len(told))
        return seen

    assert max(b - a for a, b in pairwise(asyncio.run(run()))) == 1


def test_clients_that_have_gone_are_not_read_to_the_end() -> None:
    """Their chunks would take the server most of a minute, and their places for as long."""
    with serving(Bounds(connections=3), mirror) as address:
        for _ in range(3):
            with connected(address) as sock:
                sock.sendall(HEAD + b"1\r\nx\r\n" * 30_000)
        began = time.monotonic()
        while bodies_or_none(address) is None:
            assert time.monotonic() - began < 5
            time.sleep(0.05)


def bodies_or_none(address: tuple[str, int]) -> bytes | None:
    """What a small request is answered, or None if the server has no place for it."""
    with connected(address) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = sock.recv(1 << 16)
    return answer if answer.startswith(b"HTTP/1.1 200") else None


@pytest.mark.parametrize(("count", "status"), [(99, b"200"), (101, b"431"), (3000, b"431")])
@pytest.mark.parametrize("whole", [True, False])
def test_the_number_of_headers_is_bounded(address: tuple[str, int], count: int, status: bytes, whole: bool) -> None:
    with connected(address) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:b\r\n" * (count - 1))
        if whole or status == b"200":
            sock.sendall(b"\r\n")
        assert sock.recv(1 << 16).split()[1] == status


def test_bodies_may_have_any_number_of_lines(address: tuple[str, int]) -> None:
    lines = b"\n" * 5000
    for sent in (
        HEAD + chunked([lines]),
        HEAD.replace(b"Transfer-Encoding: chunked", b"Content-Length: 5000") + lines,
        HEAD.replace(b"Transfer-Encoding: chunked", b"Content-Length: 5000").replace(b"\r", b"") + lines,
    ):
        assert bodies(address, sent * 3, 3) == [lines] * 3

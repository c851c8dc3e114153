"""The HTTP/1.1 connections of `genlib serve`: uvicorn's, with bounds on what a client can hold."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import sys
import time
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import h11
from h11._connection import DEFAULT_MAX_INCOMPLETE_EVENT_SIZE
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import GenlibError
from . import failure
from .failure import HeadersTooLarge, MalformedRequest, RequestTimeout, TooManyConnections
from .pace import AT_ONCE, EVENTS, PacedConnection, ReadingTurns

log = logging.getLogger("genlib.server")

# In the place of uvicorn's, which warns of whatever clients send: they could fill the log.
_about_clients = logging.getLogger("genlib.server.clients")
_about_clients.setLevel(logging.ERROR)

MAX_CONNECTIONS = 1024
_RESERVE = 32  # file descriptors for all else
_LINGER = 1.0  # seconds in which the answer to a request that was not read whole can arrive
_CLOSE_WAIT = 8  # of TCP's states, by Linux's numbers
_QUIET = 10.0  # seconds between two log lines about connections that cannot be accepted


@dataclass(frozen=True)
class Bounds:
    """connections: open at a time. turned_away: above that, how many are answered before they are closed; more are cut
    off. headers: seconds until a request's last header. unread: seconds for which a client may leave an answer unread.
    """

    connections: int
    turned_away: int = 64
    headers: float = 10.0
    unread: float = 120.0


def bounds_of_process() -> Bounds:
    """The number of connections that the limit of open files has room for."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = limit - len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else limit - 64
    reserve, turned_away = min(_RESERVE, free // 4), min(Bounds.turned_away, free // 4)
    return Bounds(max(1, min(MAX_CONNECTIONS, free - reserve - turned_away)), max(1, turned_away))


class BoundedProtocol(H11Protocol):
    """One connection. Malformed requests get the same JSON errors as others."""

    conn: PacedConnection

    def __init__(self, bounds: Bounds, turns: ReadingTurns, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = PacedConnection(self.config.h11_max_incomplete_event_size or DEFAULT_MAX_INCOMPLETE_EVENT_SIZE)
        if self.logger.level < logging.ERROR:
            self.logger = _about_clients
        self._bounds = bounds
        self._turns = turns
        self._turned_away = self._ended = self._in_turns = False
        self._patience: asyncio.TimerHandle | None = None  # with a client that is silent
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counts the connection, and waits for its first request."""
        super().connection_made(transport)
        surplus = len(self.connections) - self._bounds.connections
        if surplus > self._bounds.turned_away:
            transport.abort()
        self._turned_away = surplus > 0
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the request in progress."""
        super().connection_lost(exc)
        _cancel(self._patience)
        self._patience = None
        _cancel(self._unread)
        self._unread = None

    def data_received(self, data: bytes) -> None:
        """Reads a part of a request."""
        if self._ended:
            return
        if self._turned_away:  # only now: a connection closed with bytes unread loses its answer
            self._end_with(TooManyConnections("too many connections are open; try again in a second"))
            return
        super().data_received(data)
        self._watch()

    def handle_events(self) -> None:
        """Reads what has come, by turns if that is much."""
        if not self._in_turns:
            self._read(AT_ONCE)
        if self._in_turns:
            self.transport.pause_reading()

    def _read(self, events: int) -> None:
        self.conn.left = events
        super().handle_events()
        self._in_turns = not self.conn.left and not self.transport.is_closing()
        if self._in_turns:
            self._turns.join(self)

    def read_on(self) -> None:
        """Takes the next turn."""
        self._in_turns = False
        if self._ended or self.transport.is_closing():
            return
        if _is_left(self.transport):  # nothing else would tell while reading is paused
            self.transport.abort()
            return
        self._read(EVENTS)
        self._watch()
        if not self._in_turns and not self.flow.read_paused:
            self.transport.resume_reading()

    def on_response_complete(self) -> None:
        """Waits for the next request, which may have come in part."""
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Bounds the time of a request's headers, and of a body whose request was answered already."""
        theirs, ours = self.conn.their_state, self.conn.our_state
        if self._ended:
            return
        if theirs is h11.IDLE or (theirs is h11.SEND_BODY and ours is h11.DONE):
            if self._patience is None:
                self._patience = self.loop.call_later(self._bounds.headers, self._lose_patience)
        else:
            _cancel(self._patience)
            self._patience = None

    def _lose_patience(self) -> None:
        self._patience = None
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._end_with(RequestTimeout(f"the headers must come within {self._bounds.headers:.0f} s"))
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's)
        """Answers what is not HTTP. uvicorn calls it where it handles h11's exception."""
        cause = sys.exc_info()[1]
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # an answer is being sent, or was
            self.transport.close()
        elif isinstance(cause, h11.RemoteProtocolError) and cause.error_status_hint == 431:
            self._end_with(HeadersTooLarge("the request has more than 16 KiB, or 100, of headers"))
        else:
            self._end_with(MalformedRequest(f"the request is not valid HTTP/1.1: {cause}"))

    def _end_with(self, error: GenlibError) -> None:
        """Answers a request that no app sees. The connection is closed a little later: bytes that the client still
        sends would reset one that is closed, and the answer would be lost."""
        self._ended = True
        if self.cycle is not None:
            self.cycle.disconnected = True  # for an app that answers the request too
            self.cycle.message_event.set()
        answer = failure.answer(error)
        lines = [f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}".encode()]
        lines += [name + b": " + value for name, value in [*answer.raw_headers, (b"connection", b"close")]]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
        self.transport.write_eof()
        _cancel(self._patience)
        self._patience = self.loop.call_later(_LINGER, self.transport.close)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is written to."""
        super().pause_writing()
        self._watch_reader(self.transport.get_write_buffer_size())

    def _watch_reader(self, unread: int) -> None:
        """Looks again after a while, and cuts off a client that has read nothing of so many bytes."""

        def look() -> None:
            left = self.transport.get_write_buffer_size()
            if left < unread:
                self._watch_reader(left)
            else:
                self.transport.abort()

        self._unread = self.loop.call_later(self._bounds.unread, look)

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        _cancel(self._unread)
        self._unread = None


def _is_left(transport: asyncio.Transport) -> bool:
    """Whether the client has closed the connection, behind what it has sent. False where the system does not say."""
    sock, info = transport.get_extra_info("socket"), getattr(socket, "TCP_INFO", None)
    if info is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    state: int = sock.getsockopt(socket.IPPROTO_TCP, info, 1)[0]
    return state == _CLOSE_WAIT


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def protocol(bounds: Bounds) -> Any:
    """What uvicorn makes its connections of."""
    return partial(BoundedProtocol, bounds, ReadingTurns())


class AcceptErrors:
    """The exception handler of a server's event loop: one line at a time about connections that cannot be accepted.

    asyncio reports each attempt, of which there are hundreds a second while file descriptors are short.
    """

    def __init__(self) -> None:
        self._told = -_QUIET

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handles what an event loop has no other place for."""
        if "socket.accept()" not in context.get("message", ""):
            loop.default_exception_handler(context)
        elif time.monotonic() - self._told > _QUIET:
            self._told = time.monotonic()
            log.error("cannot accept connections: %s", context.get("exception"))

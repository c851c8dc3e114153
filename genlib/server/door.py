"""Answers requests in place of the app while the model is loading, and ends them when the server shuts down."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import failure
from .failure import Draining, Loading
from .handlers import HEALTHY, as_json
from .sse import error_event

PARTING = 0.5  # seconds for the last words of a request that is ended


class Door:
    """An ASGI app (HTTP only) around one that is ready later and closed earlier. All on one event loop.

    Closed at first: /health returns 200, everything else 503 `loading`. Once open, it passes everything on. While
    draining, it still passes on GET and HEAD, except /ready; everything else gets 503 `draining`.
    """

    def __init__(self) -> None:
        self._inside: ASGIApp | None = None
        self._draining = False
        self._visits: set[_Visit] = set()

    @property
    def calls(self) -> int:
        """Requests in progress that a drain waits for: all but GET and HEAD."""
        return sum(not visit.reads for visit in self._visits)

    def open(self, app: ASGIApp) -> None:
        """Passes requests on to `app` from now on."""
        self._inside = app

    def drain(self) -> None:
        """Rejects new calls from now on. Safe to call from a signal handler."""
        self._draining = True

    def dismiss_unread(self) -> None:
        """Rejects the calls whose request has not arrived whole."""
        for visit in self._visits:
            if not (visit.reads or visit.received):
                visit.end(_draining())

    def dismiss_all(self) -> None:
        """Ends every request: its answer is 503 `draining`, of a stream an `event: error`."""
        for visit in self._visits:
            visit.end(Draining("the server has shut down before the call ended; its state is unchanged"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry point."""
        scope = _in_origin_form(scope)
        reads = scope["method"] in ("GET", "HEAD")
        if self._inside is None:
            await _closed(scope)(scope, receive, send)
        elif self._draining and (not reads or scope["path"] == "/ready"):
            await failure.answer(_draining())(scope, receive, send)
        else:
            task = asyncio.current_task()
            assert task is not None
            visit = _Visit(task, receive, send, reads=reads)
            self._visits.add(visit)
            try:
                await visit.pay(self._inside, scope)
            finally:
                self._visits.discard(visit)


@dataclass(slots=True, eq=False)
class _Visit:
    """One request inside. received: with its whole body. streams: its answer is an event stream that has begun."""

    task: asyncio.Task[object]
    receive: Receive
    send: Send
    reads: bool
    received: bool = False
    answered: bool = False
    streams: bool = False
    error: Draining | None = None

    def end(self, error: Draining) -> None:
        """Ends it with an error."""
        if self.error is None:
            self.error = error
            self.task.cancel()

    async def pay(self, app: ASGIApp, scope: Scope) -> None:
        """Passes the request on, to its end."""
        try:
            await app(scope, self._receive, self._send)
        except asyncio.CancelledError:
            if self.error is None:
                raise
            self.task.uncancel()
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(PARTING):
                    await self._say(self.error, scope)

    async def _say(self, error: Draining, scope: Scope) -> None:
        if not self.answered:
            await failure.answer(error)(scope, self.receive, self.send)
        elif self.streams:
            await self.send({"type": "http.response.body", "body": error_event(error), "more_body": False})

    async def _receive(self) -> Message:
        message = await self.receive()
        self.received |= not message.get("more_body", False)
        return message

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.answered = True
            self.streams = (b"content-type", b"text/event-stream; charset=utf-8") in message["headers"]
        await self.send(message)


def _draining() -> Draining:
    return Draining("the server is shutting down and accepts no new requests; use another")


def _closed(scope: Scope) -> Response:
    if scope["path"] == "/health":
        return as_json(HEALTHY)
    return failure.answer(Loading("the model is still loading; try again in a second"))


def _in_origin_form(scope: Scope) -> Scope:
    """The scope of a request whose target may be a whole URL, as proxies send it (RFC 9112, 3.2.2)."""
    target: bytes = scope.get("raw_path", b"")
    if not target.lower().startswith((b"http://", b"https://")):
        return scope
    path = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    return {**scope, "raw_path": path, "path": unquote(path.decode("ascii"))}

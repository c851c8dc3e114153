"""Answers requests in place of the app while the model is loading and while the server is draining."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from . import failure
from .failure import Draining, Loading
from .handlers import HEALTHY, as_json


class Door:
    """An ASGI app (HTTP only) around one that is ready later and closed earlier. All on one event loop.

    Closed at first: /health returns 200, everything else 503 `loading`. Once open, it passes everything on. While
    draining, it still passes on GET and HEAD, except /ready; everything else gets 503 `draining`.
    """

    def __init__(self) -> None:
        self._inside: ASGIApp | None = None
        self._draining = False
        self._calls = 0

    @property
    def calls(self) -> int:
        """Requests in progress that a drain waits for: all but GET and HEAD."""
        return self._calls

    def open(self, app: ASGIApp) -> None:
        """Passes requests on to `app` from now on."""
        self._inside = app

    def drain(self) -> None:
        """Rejects new calls from now on. Safe to call from a signal handler."""
        self._draining = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry point."""
        reads = scope["method"] in ("GET", "HEAD")
        inside = self._inside
        if inside is None:
            await _closed(scope)(scope, receive, send)
        elif self._draining and (not reads or scope["path"] == "/ready"):
            await failure.answer(Draining("the server is shutting down and accepts no new requests; use another"))(
                scope, receive, send
            )
        else:
            self._calls += not reads
            try:
                await inside(scope, receive, send)
            finally:
                self._calls -= not reads


def _closed(scope: Scope) -> Response:
    if scope["path"] == "/health":
        return as_json(HEALTHY)
    return failure.answer(Loading("the model is still loading; try again in a second"))

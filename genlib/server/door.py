"""What stands before the app of a process: it answers while the model is loaded, and while the last calls end."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from . import failure
from .failure import Draining, Loading
from .handlers import HEALTHY, as_json


class Door:
    """An ASGI app, of HTTP alone, over one that is there later and ends earlier. All of it on one event loop.

    Closed at first: /health says that the process lives, all else is answered with 503 `loading`. Once it was
    opened everything goes through. While it drains, readers still do, and what would begin work or change a
    state is answered with 503 `draining`.
    """

    def __init__(self) -> None:
        self._inside: ASGIApp | None = None
        self._draining = False
        self._calls = 0

    @property
    def calls(self) -> int:
        """Requests inside that a drain waits for: all but readers."""
        return self._calls

    def open(self, app: ASGIApp) -> None:
        """Lets requests through to `app` from now on."""
        self._inside = app

    def drain(self) -> None:
        """Refuses calls from now on. May be called by a signal's handler."""
        self._draining = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        reads = scope["method"] in ("GET", "HEAD")
        inside = self._inside
        if inside is None:
            await _closed(scope)(scope, receive, send)
        elif self._draining and (not reads or scope["path"] == "/ready"):
            await failure.answer(Draining("this server is about to end; ask another"))(scope, receive, send)
        else:
            self._calls += not reads
            try:
                await inside(scope, receive, send)
            finally:
                self._calls -= not reads


def _closed(scope: Scope) -> Response:
    if scope["path"] == "/health":
        return as_json(HEALTHY)
    return failure.answer(Loading("the model is still being loaded; try again in a second"))

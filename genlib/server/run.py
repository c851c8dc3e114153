"""Serves an app on a socket until a signal comes. Signals end it cleanly: running requests finish first."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def address(sock: socket.socket) -> str:
    """The URL at which the socket listens."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Tells when it is ready to serve."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def serve(
    app: ASGIApp, sock: socket.socket, *, drain_timeout: int, log_level: str, on_ready: Callable[[], None]
) -> None:
    """Serves until SIGINT or SIGTERM, then lets requests finish for `drain_timeout` seconds and cancels them.

    Owns the socket. Must run on the main thread, where signals arrive.
    """
    config = uvicorn.Config(app, log_level=log_level, lifespan="off", timeout_graceful_shutdown=drain_timeout)
    server = _Server(config, on_ready)
    with sock, _signals(server):
        server.run(sockets=[sock])


@contextmanager
def _signals(server: uvicorn.Server) -> Iterator[None]:
    """uvicorn raises a signal again once it has shut down; here that must not end the process half way."""

    def stop(_: int, __: FrameType | None) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

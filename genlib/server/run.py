"""Serves an engine on a socket until a signal comes: listens before the engine is there, and until its calls end."""

from __future__ import annotations

import asyncio
import math
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from starlette.types import ASGIApp

from .door import Door

if TYPE_CHECKING:
    from ..engine.engine import Engine

_TICK = 0.05  # seconds between two looks at the calls that a drain waits for


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def address(sock: socket.socket) -> str:
    """The URL at which the socket listens."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Opens the door once it listens, and goes on listening while the last calls end."""

    failure: Exception | None = None  # of opening the door

    def __init__(
        self, config: uvicorn.Config, door: Door, open_door: Callable[[], Awaitable[None]], drain_timeout: int
    ) -> None:
        super().__init__(config)
        self._door = door
        self._open_door = open_door
        self._drain_timeout = drain_timeout
        self._tasks: set[asyncio.Task[None]] = set()  # a loop alone would forget its tasks

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tasks.add(asyncio.create_task(self._open()))

    async def _open(self) -> None:
        try:
            await self._open_door()
        except Exception as error:
            self.failure = error
            self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._door.drain()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn's own shutdown closes the idle connections and the socket at once: that must wait for the calls.
        self._door.drain()
        end = time.monotonic() + self._drain_timeout
        while self._door.calls and not self.force_exit and time.monotonic() < end:
            await asyncio.sleep(_TICK)
        self.config.timeout_graceful_shutdown = max(0, math.ceil(end - time.monotonic()))
        await super().shutdown(sockets)


def serve(
    make_engine: Callable[[], Engine],
    make_app: Callable[[Engine], ASGIApp],
    sock: socket.socket,
    *,
    drain_timeout: int,
    log_level: str,
    on_ready: Callable[[], None],
) -> None:
    """Serves until SIGINT or SIGTERM, then lets calls finish for `drain_timeout` seconds and cancels them.

    Listens at once and makes the engine meanwhile; on_ready: it is there. Owns the socket and the engine; one
    that is still being made when the signal comes is left to the end of the process. Must run on the main
    thread, where signals arrive. Raises what make_engine and make_app raise.
    """
    door, loading = Door(), _begin(make_engine)

    async def open_door() -> None:
        door.open(make_app(await asyncio.wrap_future(loading)))
        on_ready()

    config = uvicorn.Config(door, log_level=log_level, lifespan="off", ws="none")
    server = _Server(config, door, open_door, drain_timeout)
    try:
        with sock, _signals(server):
            server.run(sockets=[sock])
    finally:
        if loading.done() and loading.exception() is None:
            loading.result().close()
    if server.failure is not None:
        raise server.failure


def _begin(make_engine: Callable[[], Engine]) -> Future[Engine]:
    """The engine, made on a thread that nobody waits for at the end of the process."""
    future: Future[Engine] = Future()
    future.set_running_or_notify_cancel()

    def make() -> None:
        try:
            future.set_result(make_engine())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=make, name="genlib-load", daemon=True).start()
    return future


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

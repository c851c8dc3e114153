"""Serves an engine on a socket until a signal. It listens while the model is loading, and until the last call ends."""

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

from .door import PARTING, Door
from .protocol import AcceptErrors, bounds_of_process, protocol

if TYPE_CHECKING:
    from ..engine.engine import Engine

BACKLOG = 512  # connections that wait to be accepted
_TICK = 0.05  # seconds between checks whether the calls that a drain waits for have ended


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free port. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.create_server((host, port), family=family)
    # Accepted connections inherit it. Else each answer of two parts waits for the client's delayed acknowledgement,
    # some 40 ms; asyncio sets it only on sockets whose protocol number is stated, which these are not.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def address(sock: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Opens the door once it is listening, and keeps listening while the last calls end."""

    failure: Exception | None = None  # from opening the door

    def __init__(
        self, config: uvicorn.Config, door: Door, open_door: Callable[[], Awaitable[None]], drain_timeout: int
    ) -> None:
        super().__init__(config)
        self._door = door
        self._open_door = open_door
        self._drain_timeout = drain_timeout
        self._tasks: set[asyncio.Task[None]] = set()  # an event loop keeps weak references only

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(AcceptErrors())
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
        self.force_exit = self.should_exit  # a second signal does not wait
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn's own shutdown closes idle connections and the socket at once; it must wait for the calls.
        self._door.drain()
        self._door.dismiss_unread()
        end = time.monotonic() + self._drain_timeout
        await self._wait_for_calls(until=end, however=lambda: self.force_exit)
        self._door.dismiss_all()
        await self._wait_for_calls(until=time.monotonic() + 2 * PARTING)
        if self._door.calls:  # whoever reads no more
            for connection in list(self.server_state.connections):
                connection.transport.abort()
        self.config.timeout_graceful_shutdown = max(1, math.ceil(end - time.monotonic()))
        await super().shutdown(sockets)

    async def _wait_for_calls(self, *, until: float, however: Callable[[], bool] = lambda: False) -> None:
        while self._door.calls and not however() and time.monotonic() < until:
            await asyncio.sleep(_TICK)


def serve(
    make_engine: Callable[[], Engine],
    make_app: Callable[[Engine], ASGIApp],
    sock: socket.socket,
    *,
    drain_timeout: int,
    log_level: str,
    forwarded_allow_ips: str | None,
    on_ready: Callable[[], None],
) -> None:
    """Serves until SIGINT or SIGTERM; running calls then have `drain_timeout` seconds to finish before cancellation.
    forwarded_allow_ips: as in uvicorn, the proxies that are believed whom they forward for; None: nobody.

    Listens at once and creates the engine in the background; on_ready is called when it is ready. Owns the socket
    and the engine; an engine that is still being created at the signal is abandoned to the end of the process.
    Must run on the main thread, which receives signals. Raises what make_engine and make_app raise.
    """
    door, loading = Door(), _begin(make_engine)

    async def open_door() -> None:
        door.open(make_app(await asyncio.wrap_future(loading)))
        on_ready()

    config = uvicorn.Config(
        door,
        http=protocol(bounds_of_process()),
        ws="none",
        lifespan="off",
        backlog=BACKLOG,
        log_level=log_level,
        proxy_headers=forwarded_allow_ips is not None,
        forwarded_allow_ips=forwarded_allow_ips,
    )
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
    """Creates the engine on a daemon thread, so that the process can end before it is ready."""
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
    """uvicorn raises the signal again after its shutdown; here that must not end the process before cleanup."""

    def stop(_: int, __: FrameType | None) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

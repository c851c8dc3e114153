"""The handle of a call that was submitted: wait for it, iterate it, await it, cancel it.

The engine's thread writes, any thread or event loop reads. A stream's tokens belong to the state when its
consumer has taken them all, or when it stops taking: then those that it has taken are committed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Generic, Protocol, cast

from ..errors import CallCancelled
from .results import Piece, R_co, Result


class CallOwner(Protocol):
    """Who runs the call: the engine."""

    def cancel(self, call: Call[Result]) -> None: ...
    def settle(self, call: Call[Result], taken: int | None) -> None: ...


class Call(Generic[R_co]):
    """A running call. `streams` says whether it can be iterated.

    Every method may be used from any thread; one consumer takes the pieces.
    """

    def __init__(self, owner: CallOwner, *, streams: bool) -> None:
        self.streams = streams
        self._owner = owner
        self._changed = threading.Condition()
        self._wakers: list[Callable[[], None]] = []
        self._pieces: deque[Piece] = deque()
        self._taken = 0
        self._settled = not streams
        self._result: Result | None = None
        self._error: BaseException | None = None

    # What its owner tells it.

    def push(self, piece: Piece) -> None:
        """One more piece of the stream."""
        self._pieces.append(piece)
        self._wake()

    def finish(self, result: Result) -> None:
        """The call has ended well. For a stream: all its pieces were pushed."""
        self._result = result
        self._wake()

    def fail(self, error: BaseException) -> None:
        """The call has ended with an error; pieces not taken yet are dropped. The first end counts."""
        if self._result is None or not self._settled:
            self._error = self._error or error
            self._result = None
            self._settled = True
            self._pieces.clear()
        self._wake()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    # What its consumer asks.

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._result is not None or self._error is not None

    def cancel(self) -> None:
        """Ends the call; its state is as it was. Idempotent; nothing happens once it is committed."""
        self._owner.cancel(cast("Call[Result]", self))

    def result(self, timeout: float | None = None) -> R_co:
        """Waits for the end. Raises the call's error, or TimeoutError after `timeout` seconds (it goes on)."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.done, timeout):
                raise TimeoutError(f"the call is still running after {timeout} s")
        return self._get()

    def _get(self) -> R_co:
        self._settle(None)
        if self._error is not None:
            raise self._error
        return cast(R_co, self._result)

    def _settle(self, taken: int | None) -> None:
        """Commits a stream: the first `taken` pieces, or all of it."""
        if not self._settled:
            self._settled = True
            self._owner.settle(cast("Call[Result]", self), taken)

    def _take(self) -> Piece | None:
        """The next piece, or None when the stream has ended well; IndexError if neither is there yet."""
        if self._error is not None:
            raise self._error
        if not self._pieces and self._result is not None:
            return None
        piece = self._pieces.popleft()
        self._taken += 1
        return piece

    def _ready(self) -> bool:
        return bool(self._pieces) or self.done

    def __iter__(self) -> Iterator[Piece]:
        if not self.streams:
            raise TypeError("this call was not submitted with stream=True; use .result()")
        return self._iterate()

    def _iterate(self) -> Generator[Piece, None, None]:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(self._ready)
                piece = self._take()
                if piece is None:
                    break
                yield piece
            self._settle(None)
        finally:
            self._settle(self._taken)

    async def _changed_async(self, ready: Callable[[], bool]) -> None:
        import asyncio  # noqa: PLC0415 (a third of the time to import genlib; whoever awaits has it already)

        loop = asyncio.get_running_loop()
        while True:
            future: asyncio.Future[None] = loop.create_future()

            def resolve(future: asyncio.Future[None] = future) -> None:
                if not future.done():
                    future.set_result(None)

            def wake(resolve: Callable[[], None] = resolve) -> None:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(resolve)

            with self._changed:
                if ready():
                    return
                self._wakers.append(wake)
            await future

    async def _wait_async(self) -> R_co:
        try:
            await self._changed_async(lambda: self.done)
        finally:
            if not self.done:
                self.cancel()  # whoever awaited was cancelled
        return self._get()

    def __await__(self) -> Generator[None, None, R_co]:
        return self._wait_async().__await__()

    async def __aiter__(self) -> AsyncIterator[Piece]:
        if not self.streams:
            raise TypeError("this call was not submitted with stream=True; await it")
        try:
            while True:
                await self._changed_async(self._ready)
                piece = self._take()
                if piece is None:
                    break
                yield piece
            self._settle(None)
        except GeneratorExit:
            self._settle(self._taken)  # the consumer has stopped taking
            raise
        except BaseException:
            self.cancel()  # whoever awaited was cancelled
            raise


def cancelled() -> CallCancelled:
    """The error of a call that somebody cancelled."""
    return CallCancelled("the call was cancelled; its state is as it was")

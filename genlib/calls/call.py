"""The handle of a submitted call: wait for it, iterate it, await it, or cancel it.

The engine's thread writes, any thread or event loop reads. A streaming call is committed to its state when its consumer
has taken all pieces, or stops early: then only the pieces taken are committed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Generic, Protocol, cast

from ..errors import CallCancelled
from .results import Piece, R_co, Result


class CallOwner(Protocol):
    """The engine, as a call sees it."""

    def cancel(self, call: Call[Result]) -> None: ...
    def settle(self, call: Call[Result], taken: int | None) -> None: ...


class Call(Generic[R_co]):
    """The handle of a submitted call, as returned by Engine.submit and genlib.aio.

    Get its result with `result()` or `await call`. A call submitted with stream=True (`streams`) can instead be
    iterated with `for` or `async for`; each item is a Piece. Closing the iterator early commits the pieces taken so
    far. Cancelling the coroutine that awaits or iterates cancels the call.

    All methods may be used from any thread; only one consumer may iterate.
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

    # Called by the owner.

    def push(self, piece: Piece) -> None:
        """Adds a piece to the stream. Called by the engine, as are finish and fail."""
        self._pieces.append(piece)
        self._wake()

    def finish(self, result: Result) -> None:
        """Ends the call with its result. All pieces of a stream have been pushed."""
        self._result = result
        self._wake()

    def fail(self, error: BaseException) -> None:
        """Ends the call with an error, unless it is settled; drops the pieces not taken yet. The first error counts."""
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

    # Called by the consumer.

    @property
    def done(self) -> bool:
        """Whether the call has ended, with a result or an error."""
        return self._result is not None or self._error is not None

    def cancel(self) -> None:
        """Cancels the call: its state is unchanged, and waiting for it raises CallCancelled.

        Does nothing if the call has been committed or cancelled before.
        """
        self._owner.cancel(cast("Call[Result]", self))

    def result(self, timeout: float | None = None) -> R_co:
        """Waits for the result and returns it. For a stream, commits all of its tokens.

        Raises the call's error, or TimeoutError after `timeout` seconds; the call then goes on. None waits forever.
        """
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
        """Commits a stream, once: its first `taken` pieces, or all if None."""
        if not self._settled:
            self._settled = True
            self._owner.settle(cast("Call[Result]", self), taken)

    def _take(self) -> Piece | None:
        """The next piece, or None at the end. Raises the call's error, or IndexError if nothing is ready."""
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
        import asyncio  # noqa: PLC0415 (a third of genlib's import time; who awaits has imported it)

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
                self.cancel()  # the awaiting coroutine was cancelled
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
            self._settle(self._taken)  # the consumer stopped early
            raise
        except BaseException:
            self.cancel()  # the iterating coroutine was cancelled
            raise


def cancelled() -> CallCancelled:
    """The error of a cancelled call."""
    return CallCancelled("the call was cancelled; its state is unchanged")

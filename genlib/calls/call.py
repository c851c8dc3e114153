"""The handle of a call that was submitted: wait for it, iterate it, await it, cancel it.

Whatever becomes of a handle, its call has one end (CallOwner.end), and its state is free by the time it is used next:

- all pieces of a stream are taken, or `result()` is asked for: all its tokens are the state's;
- a stream is left (`break`, `close`, `aclose`, or its handle is dropped): the tokens of the pieces taken are;
- the calls of a CallGroup end together, once all have all their tokens;
- `cancel()`, an exception while somebody waits (KeyboardInterrupt, a task that is cancelled), the timeout: none are.

A handle without `stream` that is dropped leaves its call running to its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from types import TracebackType
from typing import Any, Generic, Protocol, cast

from ..checks import check_wait
from ..handles import Handle
from .channel import Channel, cancelled, timed_out, waker
from .pieces import AsyncPieceIterator, PieceIterator
from .results import Piece, R_co


class CallOwner(Protocol):
    """Who ends calls: the engine."""

    def check_caller(self) -> None:
        """Raises EngineForked in a process that the engine was not made in, ReentrantCall on the engine's thread."""

    def end(self, channel: Channel, taken: int | None, error: Exception | None = None) -> None:
        """Ends a call now: with the tokens of the first `taken` pieces, with all of them (None), or with an error.
        Nothing happens if it has ended."""

    def end_together(self, channels: list[Channel]) -> None:
        """Ends calls that have all their tokens: each with all of them or, if one has failed, none. Those with results
        have ended."""

    def post_end(self, channel: Channel, taken: int | None, error: Exception | None = None) -> None:
        """The same, but before the engine is used next. Never waits: finalisers and signal handlers may call it."""

    def watch(self, channel: Channel, handle: object) -> None:
        """Ends a call when a handle is dropped: a stream with the tokens of the pieces taken, any other with an error.
        By the time the engine is used next."""

    def heed_posted(self) -> None:
        """Ends the calls whose ends were posted, and those whose handles were dropped."""


class Call(Handle, Coroutine[Any, Any, R_co], Generic[R_co]):
    """A running call. Made by Engine.submit.

    `streams` says whether it can be iterated. Any thread may use it, or any event loop; one consumer takes the pieces.
    """

    INSTEAD = "use its result()"

    def __init__(self, owner: CallOwner, channel: Channel, engine: object) -> None:
        """engine: kept alive for as long as somebody may wait."""
        self.channel = channel
        self._owner = owner
        self._engine = engine
        self._left = False
        self._coroutine: Coroutine[Any, Any, R_co] | None = None
        if channel.held:
            self.watch(self)

    def __repr__(self) -> str:
        what = "failed" if self.channel.error else "done" if self.done else "running"
        return f"<Call {what}{', a stream' * self.streams}>"

    @property
    def streams(self) -> bool:
        """Whether it can be iterated."""
        return self.channel.streams

    @property
    def done(self) -> bool:
        """Whether nothing is left to be generated, well or not."""
        return self.channel.complete

    def cancel(self) -> None:
        """Ends the call with CallCancelled; its state is unchanged. Nothing happens if it has ended."""
        self._owner.post_end(self.channel, None, cancelled())

    def result(self, timeout: float | None = None) -> R_co:
        """Waits for the end and returns what it answers; of a stream, all that was not taken becomes the state's too.

        timeout: in seconds; then TimeoutError, and the call goes on: see `cancel`, or Engine.submit(timeout=...),
        which ends it. Raises the call's error. An exception while waiting, such as KeyboardInterrupt, cancels the call.
        """
        timeout = check_wait(timeout)
        try:
            self._owner.check_caller()
            ended = self._wait(lambda: self.done, timeout)
            if ended:
                return self._get()
        except BaseException:
            self.cancel()
            raise
        raise TimeoutError(f"the call is still running after {timeout} s")

    def _wait(self, ready: Callable[[], bool], timeout: float | None = None) -> bool:
        """Channel.wait; a call that reaches its deadline meanwhile ends."""
        deadline = self.channel.deadline
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        if left is None or (timeout is not None and timeout < left):
            return self.channel.wait(ready, timeout)
        if not self.channel.wait(ready, left):
            self._owner.end(self.channel, None, timed_out())
        return True

    def _get(self) -> R_co:
        self._end()
        return cast(R_co, self.channel.result())

    def _end(self) -> None:
        """Ends a call of which nothing is left to be generated. Raises its error."""
        channel = self.channel
        if not channel.ended:
            self._owner.end(channel, None)
        if channel.error is not None:
            raise channel.error.with_traceback(channel.traceback)

    # A stream.

    def __iter__(self) -> Iterator[Piece]:
        self._check_streams("use .result()")
        return PieceIterator(self)

    def next_piece(self) -> Piece | None:
        """Waits for the next piece of a stream; None at its end. Raises as `result` does."""
        self._check_streams("use .result()")
        self._owner.check_caller()
        self._owner.heed_posted()
        try:
            self._wait(self._has_piece)
        except BaseException:
            self.cancel()
            raise
        return self._take()

    def __aiter__(self) -> AsyncPieceIterator:
        self._check_streams("await it")
        return AsyncPieceIterator(self)

    async def __anext__(self) -> Piece:
        self._check_streams("await it")
        self._owner.heed_posted()
        await self._wait_async(self._has_piece)
        piece = self._take()
        if piece is None:
            raise StopAsyncIteration
        return piece

    def close(self) -> None:
        """Leaves a stream: the tokens of the pieces taken are the state's. Ends any other call as `cancel` does.

        Never waits: the call has ended by the time its state is used next.
        """
        if self._coroutine is not None:
            self._coroutine.close()
        self._left = True
        if not self.streams:
            self.cancel()
        elif not self.channel.ended:
            self._owner.post_end(self.channel, self.channel.taken)

    async def aclose(self) -> None:
        """`close`, for contextlib.aclosing."""
        self.close()

    def _check_streams(self, instead: str) -> None:
        if not self.streams:
            raise TypeError(f"this call was not submitted with stream=True; {instead}")

    def _has_piece(self) -> bool:
        return self.channel.taken < self.channel.num_pieces or self.done

    def _take(self) -> Piece | None:
        """The next piece, or None at a stream's end."""
        channel = self.channel
        if channel.error is not None:
            raise channel.error.with_traceback(channel.traceback)
        if channel.taken < channel.num_pieces and not (self._left or channel.ended):
            assert channel.piece is not None
            piece = channel.piece(channel.taken)
            channel.taken += 1
            return piece
        if not self._left:
            self._end()
        return None

    def watch(self, handle: object) -> None:
        """Ends the call when this handle is dropped."""
        self._owner.watch(self.channel, handle)

    # A coroutine, so that it can be awaited, or given to asyncio.create_task.

    def __await__(self) -> Generator[Any, None, R_co]:
        return self._result_async().__await__()

    def send(self, value: Any) -> Any:
        """Of a coroutine: for event loops."""
        if self._coroutine is None:
            self._coroutine = self._result_async()
        return self._coroutine.send(value)

    def throw(self, typ: Any, val: Any = None, tb: TracebackType | None = None) -> Any:  # noqa: ARG002
        """Of a coroutine: for event loops. If it has not begun, its task was cancelled before the first step."""
        if self._coroutine is None:
            self.cancel()
            self._coroutine = self._result_async()
        return self._coroutine.throw(typ if val is None else val)

    async def wait(self) -> None:
        """Until the call has ended, whose error it raises; then `result()` does not wait. That makes the result, which
        takes a while for a very large one: it can be left to a thread. Cancelling cancels the call."""
        await self._wait_async(lambda: self.done)
        self._end()

    async def _result_async(self) -> R_co:
        await self.wait()
        return self._get()

    async def _wait_async(self, ready: Callable[[], bool]) -> None:
        """Until ready() holds. Whoever is cancelled while waiting cancels the call."""
        import asyncio  # noqa: PLC0415 (a third of the time to import genlib; whoever awaits has it already)

        self._owner.check_caller()
        loop = asyncio.get_running_loop()

        def resolve(future: asyncio.Future[None]) -> None:
            if not future.done():
                future.set_result(None)

        try:
            while True:
                future: asyncio.Future[None] = loop.create_future()
                if self.channel.on_change(ready, waker(loop, resolve, future)):
                    return
                await future
        except BaseException:
            self.cancel()
            raise

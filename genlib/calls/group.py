"""The handle of calls that were submitted together, and that commit together."""

from __future__ import annotations

import queue
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, Generic

from ..checks import check_wait
from ..handles import Handle
from .call import Call, CallOwner
from .channel import Channel, timed_out, waker
from .results import R_co


class CallGroup(Handle, Awaitable[tuple[R_co, ...]], Generic[R_co]):
    """Calls on states of their own. Made by Engine.submit_all: wait for their results, await them, cancel them.

    No state changes before all calls have all their tokens and their results are asked for; then all change at once.
    If one call fails, is cancelled or takes too long, if somebody is interrupted while waiting, or if the handle is
    dropped, all are cancelled, and no state changes.
    """

    INSTEAD = "use its result()"

    def __init__(self, owner: CallOwner | None, calls: Sequence[Call[R_co]]) -> None:
        """owner: of the calls; None if there are none."""
        self.calls = tuple(calls)
        self._owner = owner
        self._channels = [call.channel for call in calls]

    def __repr__(self) -> str:
        return f"<CallGroup of {len(self.calls)}{', done' * self.done}>"

    @property
    def done(self) -> bool:
        """Whether nothing is left to be generated: all calls have their tokens, or one has failed."""
        return self._failed or all(call.done for call in self.calls)

    @property
    def _failed(self) -> bool:
        return any(channel.error for channel in self._channels)

    def cancel(self) -> None:
        """Ends all calls with CallCancelled; no state changes. Nothing happens if they have ended."""
        for call in self.calls:
            call.cancel()

    def result(self, timeout: float | None = None) -> tuple[R_co, ...]:
        """Waits until all have their tokens, commits these, and returns the results in the order of the calls.

        timeout: in seconds; then TimeoutError, and the calls go on. Raises the error of the first call that failed. An
        exception while waiting, such as KeyboardInterrupt, cancels all calls.
        """
        timeout = check_wait(timeout)
        try:
            if self._owner is not None:
                self._owner.check_caller()
            if self._wait(timeout):
                return self._get()
        except BaseException:
            self.cancel()
            raise
        raise TimeoutError(f"the calls are still running after {timeout} s")

    def _wait(self, timeout: float | None) -> bool:
        """Until `done`; False if that takes more than `timeout` seconds. Calls that reach their deadline end."""
        completed: queue.SimpleQueue[Channel] = queue.SimpleQueue()  # a call that is not a stream changes but once
        left = self._watch(lambda channel: lambda: completed.put(channel))
        end = None if timeout is None else time.monotonic() + timeout
        deadline = min((c.deadline for c in self._channels if c.deadline is not None), default=None)
        while left:
            first = min((t for t in (end, deadline) if t is not None), default=None)
            try:
                self._strike(left, completed.get(timeout=None if first is None else max(first - time.monotonic(), 0)))
            except queue.Empty:
                if first != deadline:
                    return self.done
                self._expire()
        return True

    def _watch(self, wake: Callable[[Channel], Callable[[], None]]) -> set[Channel]:
        """Has wake(channel)() called when a call is complete, for those that are not, and maybe for others.

        Returns those that are to be waited for: none if a call has failed.
        """
        left = {c for c in self._channels if not c.on_change(lambda c=c: c.complete, wake(c))}  # type: ignore[misc]
        return set() if self._failed else left

    @staticmethod
    def _strike(left: set[Channel], channel: Channel) -> None:
        """Takes a call that is complete from those that are to be waited for; all of them if it has failed."""
        if channel.complete:
            left.discard(channel)
        if channel.error is not None:
            left.clear()

    def _expire(self) -> None:
        assert self._owner is not None
        for channel in self._channels:
            self._owner.end(channel, None, timed_out())

    def _get(self) -> tuple[R_co, ...]:
        if self._owner is not None:
            self._owner.end_together(self._channels)
        failed = next((channel for channel in self._channels if channel.error is not None), None)
        if failed is not None and failed.error is not None:
            raise failed.error.with_traceback(failed.traceback)
        return tuple(call.result() for call in self.calls)

    def __await__(self) -> Generator[Any, None, tuple[R_co, ...]]:
        return self._result_async().__await__()

    async def _result_async(self) -> tuple[R_co, ...]:
        import asyncio  # noqa: PLC0415 (as in call.py)

        try:
            if self._owner is not None:
                self._owner.check_caller()
            completed: asyncio.Queue[Channel] = asyncio.Queue()
            loop = asyncio.get_running_loop()
            left = self._watch(lambda channel: waker(loop, completed.put_nowait, channel))
            while left:
                self._strike(left, await completed.get())
            return self._get()
        except BaseException:
            self.cancel()
            raise

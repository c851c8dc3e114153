"""What a call's job tells its handle: pieces that can be taken, then the end.

The job writes and wakes, with its engine's lock held; any thread or event loop reads. Nothing here is reached by a
finaliser of genlib's own.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any

from ..errors import CallCancelled, CallTimeout
from .results import Piece, Result

# Makes the result of a call that has ended, without the engine's lock: a long one must keep nobody else waiting.
Answer = Callable[[], Result]


class HandleRef(weakref.ref[Any]):
    """To a handle of a call, whose channel it knows. It is the argument of its callback."""

    __slots__ = ("channel",)

    channel: Channel

    def __new__(cls, handle: object, callback: Callable[[Any], object], channel: Channel) -> HandleRef:
        self = super().__new__(cls, handle, callback)
        self.channel = channel
        return self

    def __init__(self, *_: object) -> None:
        """`__new__` has done all."""


class Channel:
    """Of one call. It ends once: with a result or with an error, whichever comes first.

    streams: whether pieces can be taken. num_pieces: how many there are. complete: there will be no more. held: whether
    the call, once complete, waits for its end to be asked for, as streams do.
    deadline: when the call is to end at the latest, by time.monotonic(), or None.
    """

    def __init__(self, *, streams: bool, held: bool = False, timeout: float | None = None, caller: str = "") -> None:
        self.caller = caller
        self.streams = streams
        self.held = held or streams
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.num_pieces = 0
        self.taken = 0  # of them, by the reader
        self._refs: list[HandleRef] = []
        self.complete = False
        self.error: BaseException | None = None
        self.traceback: TracebackType | None = None
        self.piece: Callable[[int], Piece] | None = None  # the i-th, set by the job of a stream
        self._answer: Answer | None = None
        self._result: Result | None = None
        self._making = threading.RLock()
        self._wakers: deque[Callable[[], None]] = deque()  # no lock: a signal handler would wait for it for ever

    @property
    def ended(self) -> bool:
        """Whether the result, or the error, is there."""
        return self._answer is not None or self.error is not None

    # The job's side.

    def offer(self, num_pieces: int) -> None:
        """So many pieces can be taken now."""
        self.num_pieces = num_pieces
        self._wake()

    def finish_pieces(self) -> None:
        """No more pieces will come; the call ends when they are taken, or left."""
        self.complete = True
        self._wake()

    def finish(self, answer: Answer) -> None:
        """The call has ended well."""
        if not self.ended:
            self._answer, self.complete = answer, True
        self._refs.clear()
        self._wake()

    def fail(self, error: BaseException) -> None:
        """The call has ended with an error; pieces that were not taken are dropped."""
        if not self.ended:
            self.traceback = error.__traceback__  # as it is now: each raise would add to it
            self.error, self.complete = error, True
        self._refs.clear()
        self._wake()

    def _wake(self) -> None:
        while self._wakers:  # each is kept until it was called, lest an interrupt lose one
            self._wakers[0]()
            self._wakers.popleft()

    # The handle's side.

    def watch(self, handle: object, *callbacks: Callable[[Any], object]) -> None:
        """Has the callbacks called in their order when a handle is dropped, unless the call has ended.

        They must be builtins. Then no signal's handler can come in between and raise, as it can in a finaliser.
        """
        for callback in reversed(callbacks):
            self._refs.append(HandleRef(handle, callback, self))

    def result(self) -> Result:
        """What a call that has ended well answers; made by the first that asks."""
        with self._making:
            if self._result is None:
                assert self._answer is not None
                result = self._result = self._answer()
                self._answer = lambda: result  # what it was made of is not needed any more
            return self._result

    def wait(self, ready: Callable[[], bool], timeout: float | None = None) -> bool:
        """Waits until ready() holds; False if it does not after `timeout` seconds.

        By plain locks, which unlike threading.Condition survive a signal handler that raises at any moment.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            woken = threading.Lock()
            woken.acquire()
            if self.on_change(ready, partial(_release, woken)):
                return True
            left = -1 if end is None else min(max(end - time.monotonic(), 0), threading.TIMEOUT_MAX)
            if not woken.acquire(timeout=left):
                return ready()

    def on_change(self, ready: Callable[[], bool], wake: Callable[[], None]) -> bool:
        """Has wake() called at the next change, unless ready() holds already, which it then returns.

        wake() is called by the engine's thread: it must be quick, and must not raise. It may be called although ready()
        held; the job changes what ready() reads first, and wakes then, so that one of the two sees the other.
        """
        if ready():
            return True
        self._wakers.append(wake)
        return ready()


def _release(lock: threading.Lock) -> None:
    """Once; a second time does nothing."""
    with suppress(RuntimeError):
        lock.release()


def waker(loop: Any, resolve: Callable[[Any], None], future: Any) -> Callable[[], None]:
    """Resolves a future of an event loop from another thread; nothing happens if the loop has closed."""

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(resolve, future)
        except RuntimeError:
            if not loop.is_closed():
                raise

    return wake


def cancelled() -> CallCancelled:
    """The error of a call that somebody cancelled."""
    return CallCancelled("the call was cancelled; its state is unchanged")


def timed_out() -> CallTimeout:
    """The error of a call that took longer than its `timeout`."""
    return CallTimeout("the call took longer than its `timeout`; its state is unchanged")

"""Who may use an engine: its lock, and the callers that would wait for themselves."""

from __future__ import annotations

import os
import threading

from ..errors import EngineForked, ReentrantCall

_REMEDY = "have it note what is to be done, and do that later, or on a thread of its own that nobody waits for"


class Guard:
    """The lock, which is never taken twice: it is an RLock for knowing, even between two bytecodes, whether this thread
    has it. thread_id: of the engine's thread.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.thread_id: int | None = None
        self._process = os.getpid()

    def check_caller(self) -> None:
        if os.getpid() != self._process:
            raise EngineForked("this engine was made before a fork; make one in this process")
        if self.on_thread:
            raise ReentrantCall(f"a token mask, or a finaliser here, must not use the engine: {_REMEDY}")
        self.check_outermost()

    def check_outermost(self) -> None:
        """Raises ReentrantCall in a finaliser or signal handler that has interrupted a use of the engine."""
        if self.owned:
            raise ReentrantCall(f"this finaliser or signal handler interrupts another use of the engine: {_REMEDY}")

    @property
    def on_thread(self) -> bool:
        """Whether this is the engine's thread."""
        return threading.get_ident() == self.thread_id

    @property
    def owned(self) -> bool:
        """Whether this thread has the lock."""
        return self.lock._is_owned()  # type: ignore[attr-defined,no-any-return]  # as threading.Condition asks it

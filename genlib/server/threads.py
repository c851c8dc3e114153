"""Work that would keep an event loop from everybody else, on threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")

LARGE = 2  # large pieces of work at a time
LARGE_SIZE = 1 << 18  # characters, bytes, or token ids
LARGE_ANSWER = 1 << 11  # tokens and top logprobs


class Threads:
    """Of one app. Large work waits for large work only: small work has other threads."""

    def __init__(self) -> None:
        self._large = anyio.CapacityLimiter(LARGE)

    async def run(self, work: Callable[[], T], size: int) -> T:
        """What work() on so many characters, bytes or token ids returns. If the caller is cancelled, it goes on for
        nobody."""
        return await self._run(work, large=size > LARGE_SIZE)

    async def _run(self, work: Callable[[], T], *, large: bool) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._large if large else None, abandon_on_cancel=True)

    async def answer(self, work: Callable[[], T], num_values: int) -> T:
        """The same for work on so many tokens and top logprobs: few are not worth a thread."""
        return work() if num_values <= LARGE_ANSWER else await self._run(work, large=True)

"""The queue: who waits takes turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..jobs.base import Job


class Turns:
    """The waiting jobs: in the order in which they came, but one of each caller in turn. So a caller with one call does
    not wait for all those of a caller with many.
    """

    def __init__(self) -> None:
        self._by_caller: dict[str, deque[Job]] = {}  # the next turn first
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Job]:
        """In the order of their turns, if nobody else comes."""
        queues = [iter(queue) for queue in self._by_caller.values()]
        while queues:
            left = []
            for queue in queues:
                if (job := next(queue, None)) is not None:
                    left.append(queue)
                    yield job
            queues = left

    @property
    def first(self) -> Job:
        """Whose turn it is; that does not change by others coming. There must be one."""
        return next(iter(self._by_caller.values()))[0]

    def join(self, job: Job) -> None:
        """Puts a job behind those of its caller, and a caller that is new behind the others."""
        self._by_caller.setdefault(job.channel.caller, deque()).append(job)
        self._size += 1

    def take_first(self) -> Job:
        """Removes the first job, whose caller's next turn comes after those of all others."""
        caller, queue = next(iter(self._by_caller.items()))
        job = queue.popleft()
        del self._by_caller[caller]
        if queue:
            self._by_caller[caller] = queue
        self._size -= 1
        return job

    def leave(self, job: Job) -> None:
        """Removes a job, which need not be there."""
        queue = self._by_caller.get(job.channel.caller)
        if queue is not None and job in queue:
            queue.remove(job)
            self._size -= 1
            if not queue:
                del self._by_caller[job.channel.caller]

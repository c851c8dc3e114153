"""The queue: who waits takes turns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..jobs.base import Job


class Turns:
    """The waiting jobs: in the order in which they came, but one of each caller in turn. So a caller with one call does
    not wait for all those of a caller with many.

    All of it bears being interrupted by a signal's handler, and being done again: who waits is one list, which changes
    at once, and the rest follows from it.
    """

    def __init__(self) -> None:
        self._jobs: list[Job] = []  # in the order in which they came
        self._served: dict[str, int] = {}  # callers that wait, by the turn after which theirs comes
        self._turn = 0
        self._first: Job | None = None  # if it is known

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        """In the order in which they came."""
        return iter(self._jobs)

    def any_of(self, caller: str) -> bool:
        """Whether a job of this caller waits."""
        return any(job.channel.caller == caller for job in self._jobs)

    @property
    def first(self) -> Job:
        """Whose turn it is; that does not change by others coming. There must be one."""
        if self._first is None:
            self._first = min(self._jobs, key=lambda job: self._served.get(job.channel.caller, self._turn))
        return self._first

    def join(self, job: Job) -> None:
        """Puts a job behind those of its caller, and a caller that is new behind the others."""
        self._served.setdefault(job.channel.caller, self._turn)
        self._jobs.append(job)

    def take(self, job: Job) -> None:
        """Removes the first job, whose caller's next turn comes after those of all others."""
        self._turn += 1
        self._served[job.channel.caller] = self._turn
        self.leave(job)

    def leave(self, job: Job) -> None:
        """Removes a job, which need not be there."""
        self._first = None
        self._jobs = [other for other in self._jobs if other is not job]
        callers = {other.channel.caller for other in self._jobs}
        self._served = {caller: turn for caller, turn in self._served.items() if caller in callers}

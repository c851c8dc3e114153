"""Which sequences run in the next step, and how many tokens each feeds. Plain Python: no arrays, no device.

    jobs wait (in order) ──start──▶ sequences run ──▶ each step: one token for those that are generating, then
                                                      chunks of those that still have tokens to catch up with

A job is a call on its way: it owns one sequence, or many. It is started when the batch has room for its
sequences and its pages are promised; from then on it is never preempted. No choice made here can change a
result, only when it is there: rows do not see each other.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..errors import QueueFull
from ..jobs.sequence import Sequence, Wants

if TYPE_CHECKING:
    from ..jobs.base import Job


class Scheduler:
    """Holds the waiting jobs and the running sequences.

    max_batch: most sequences in a step. chunk: most tokens in a step. max_queue: most jobs that wait.
    """

    def __init__(self, max_batch: int, chunk: int, max_queue: int) -> None:
        self.max_batch = max_batch
        self.chunk = max(chunk, max_batch)
        self.max_queue = max_queue
        self.waiting: deque[Job] = deque()
        self.running: list[Sequence] = []
        self._width: dict[Job, int] = {}

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing waits."""
        return not self.running and not self.waiting

    @property
    def num_jobs(self) -> int:
        """Jobs that were started and have not ended."""
        return len(self._width)

    def submit(self, job: Job) -> None:
        """Puts a job at the end of the queue. Raises QueueFull."""
        if len(self.waiting) >= self.max_queue:
            raise QueueFull(f"{self.max_queue} calls are waiting already; try again in a second")
        self.waiting.append(job)

    def admit(self) -> None:
        """Starts waiting jobs, first come first served, while the batch and the pages have room.

        The first that does not fit blocks those behind it: a large call is never starved by small ones.
        """
        while self.waiting:
            job = self.waiting[0]
            if sum(self._width.values()) + job.width > self.max_batch:
                return
            sequences = job.start()
            if sequences is None:
                return
            self.waiting.popleft()
            self._width[job] = job.width
            self.running += sequences

    def replace(self, gone: Sequence, new: list[Sequence]) -> None:
        """Takes a sequence out of the steps to come, and puts others of its job in."""
        self.running = [s for s in self.running if s is not gone] + new

    def end(self, job: Job) -> None:
        """Forgets a job, wherever it is, and its sequences."""
        if self._width.pop(job, None) is None:
            self.waiting = deque(j for j in self.waiting if j is not job)
        else:
            self.running = [s for s in self.running if s.job is not job]

    def plan(self) -> list[tuple[Sequence, int]]:
        """The work of the next step: sequences with the number of tokens to feed, those that want a token first.

        Sequences with one token to feed go first, all of them (max_batch ≤ chunk); what is left of the
        chunk goes to those with more, in the order in which they came. Beams of one search are fed together.
        """
        work = [(s, 1) for s in self.running if s.length - s.computed == 1]
        if len(work) < len(self.running):
            self._plan_chunks(work, self.chunk - len(work))
        if any(s.wants is not Wants.TOKEN for s, _ in work):
            work.sort(key=lambda w: _ORDER[w[0].wants])
        return work

    def _plan_chunks(self, work: list[tuple[Sequence, int]], budget: int) -> None:
        """Adds the sequences with more than one token. A step gives at most max_batch rows of logits: each
        sequence may have one, and those that nobody uses go to the ones that are being scored."""
        spare_rows = self.max_batch - sum(self._width.values())
        for s in self.running:
            if s.pending <= 1 or budget <= 0:
                continue
            count = min(s.pending, budget)
            if s.wants is Wants.SCORES:
                before = max(s.logits_from - s.computed, 0)
                count = min(count, before + 1 + spare_rows)
                spare_rows -= max(count - before - 1, 0)
            work.append((s, count))
            budget -= count


_ORDER = {Wants.TOKEN: 0, Wants.SCORES: 1, Wants.BEAMS: 2, Wants.NOTHING: 3}

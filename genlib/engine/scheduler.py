"""Decides which sequences run in the next step, and how many tokens each feeds. Plain Python: no arrays, no device.

    queued jobs (in order) ──start──▶ running sequences ──▶ each step: one token of each that is generating, then
                                                            chunks of those that are in prefill

A job is a running call, and owns one or more sequences. It starts when the batch has room for its sequences and its
pages are reserved; from then on it is never preempted. Scheduling affects when a result is ready, never the result:
rows do not depend on each other.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..errors import QueueFull
from ..jobs.sequence import Sequence, Wants

if TYPE_CHECKING:
    from ..jobs.base import Job


class Scheduler:
    """The waiting jobs and the running sequences.

    max_batch: maximum number of sequences per step. chunk: maximum number of tokens per step, raised to max_batch.
    max_queue: maximum number of waiting jobs. promised: for how many of them room is kept (see Line).
    """

    def __init__(self, max_batch: int, chunk: int, max_queue: int) -> None:
        self.max_batch = max_batch
        self.chunk = max(chunk, max_batch)
        self.max_queue = max_queue
        self.promised = 0
        self.waiting: deque[Job] = deque()
        self.running: list[Sequence] = []
        self._width: dict[Job, int] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is running or waiting."""
        return not self.running and not self.waiting

    @property
    def num_jobs(self) -> int:
        """Number of jobs that have started and not ended."""
        return len(self._width)

    @property
    def has_room(self) -> bool:
        """Whether one more job may wait."""
        return len(self.waiting) + self.promised < self.max_queue

    def submit(self, job: Job) -> None:
        """Puts a job at the end of the queue. Raises QueueFull."""
        if not self.has_room:
            raise QueueFull(f"the queue is full: {self.max_queue} calls are waiting; try again in a second")
        self.waiting.append(job)

    def admit(self) -> None:
        """Starts waiting jobs in order while there is room in the batch and enough pages.

        The first that does not fit blocks those after it, so that small calls never starve a large one.
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
        """Replaces a running sequence by others of its job."""
        self.running = [s for s in self.running if s is not gone] + new

    def end(self, job: Job) -> None:
        """Removes a job, waiting or running, and its sequences."""
        if self._width.pop(job, None) is None:
            self.waiting = deque(j for j in self.waiting if j is not job)
        else:
            self.running = [s for s in self.running if s.job is not job]

    def plan(self) -> list[tuple[Sequence, int]]:
        """The work of the next step: sequences and the number of tokens each feeds, those that want a token first.

        All sequences with one token to feed are included (max_batch ≤ chunk); the rest of the chunk goes to those with
        more, in the order of their start. The beams of a search are fed together.
        """
        work = [(s, 1) for s in self.running if s.length - s.computed == 1]
        if len(work) < len(self.running):
            self._plan_chunks(work, self.chunk - len(work))
        if any(s.wants is not Wants.TOKEN for s, _ in work):
            work.sort(key=lambda w: _ORDER[w[0].wants])
        return work

    def _plan_chunks(self, work: list[tuple[Sequence, int]], budget: int) -> None:
        """Adds the sequences with more than one token to feed. A step has at most max_batch rows of logits: each
        sequence may use one, and the spare ones go to sequences that are being scored."""
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

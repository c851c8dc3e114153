"""Decides which sequences run in the next step, and how many tokens each feeds. Plain Python: no arrays, no device.

    queued jobs (by turns) ──start──▶ running sequences ──▶ each step: one token of each that is generating, then
                                                            chunks of those that are in prefill

A job is a running call, and owns one or more sequences, each of which has a row of the batch. It starts when there are
rows and pages for it; from then on nothing that has begun is preempted. Rows are shared by the calls, not by their
sequences: a call of many, which could use any number of rows, leaves those of its sequences that end to the calls that
wait, as long as it has more than its share. Scheduling affects when a result is ready, never the result: rows do not
depend on each other.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from ..errors import QueueFull
from ..jobs.sequence import Sequence, Wants
from .turns import Turns

if TYPE_CHECKING:
    from ..jobs.base import Job

PACE = 8  # starts that the pace of the queue is averaged over
LONGEST_RETRY = 3600  # seconds


class Scheduler:
    """The waiting jobs and the running sequences.

    max_batch: maximum number of sequences per step. chunk: maximum number of tokens per step, raised to max_batch.
    max_queue: maximum number of waiting jobs, but see has_room. promised: callers for whose next job room is kept, once
    for each job (see Line).
    trying: the job that `admit` gives rows to.
    """

    def __init__(self, max_batch: int, chunk: int, max_queue: int) -> None:
        self.max_batch = max_batch
        self.chunk = max(chunk, max_batch)
        self.max_queue = max_queue
        self.promised: list[str] = []
        self.waiting = Turns()
        self.running: list[Sequence] = []
        self.trying: Job | None = None
        self._jobs: dict[Job, None] = {}  # those that have started, in order
        self._wanting: dict[Job, None] = {}  # those of them that could use more rows
        self._started_at = time.monotonic()  # the last one, or that of the wait for the next if that began later
        self._seconds_each = 0.0  # from one start to the next, while jobs wait: a moving average

    @property
    def idle(self) -> bool:
        """Whether nothing is running or waiting."""
        return not self._jobs and not self.waiting

    @property
    def num_jobs(self) -> int:
        """Number of jobs that have started and not ended."""
        return len(self._jobs)

    def has_room(self, caller: str) -> bool:
        """Whether one more job of a caller may wait.

        In a full queue there is room for one of each caller that has none, for as many again: else a caller that asks
        often would get every place that becomes free, and the turns would never come to the others.
        """
        taken = len(self.waiting) + len(self.promised)
        if taken < self.max_queue:
            return True
        return taken < 2 * self.max_queue and caller not in self.promised and not self.waiting.any_of(caller)

    @property
    def unsettled(self) -> bool:
        """Whether some job is waiting for rows or pages."""
        return bool(self.waiting or self._wanting)

    @property
    def num_free(self) -> int:
        """Rows that no job has."""
        return self.max_batch - sum(job.width for job in self._jobs)

    def check_room(self, caller: str) -> None:
        """Raises QueueFull if no job of this caller may wait."""
        if not self.has_room(caller):
            seconds = self.expected_wait()
            message = f"the queue is full: {len(self.waiting)} calls are waiting; try again in {seconds} s"
            raise QueueFull(message, retry_after=seconds)

    def submit(self, job: Job) -> None:
        """Puts a job at the end of the queue, where there is room."""
        if not self.waiting:
            self._started_at = time.monotonic()
        self.waiting.join(job)

    def expected_wait(self) -> int:
        """In how many seconds a job that came now would start: the queue at the pace of late, or slower if that has
        become slower."""
        each = max(self._seconds_each, time.monotonic() - self._started_at)
        return max(1, min(math.ceil(each * (len(self.waiting) + 1)), LONGEST_RETRY))

    def admit(self) -> None:
        """Gives rows to the jobs that have none left but could use some, then to waiting jobs by turns while there are
        rows and pages, and then to those that could use more.

        The first that does not fit blocks those after it, so that small calls never starve a large one.
        """
        resting = [job for job in self._wanting if not job.width]
        for job in resting:
            self._grow(job)
        if all(job.width for job in resting):
            while self.waiting and self._start(self.waiting.first):
                pass
            while not self.waiting and sum(self._grow(job) for job in list(self._wanting)):
                pass
        self.trying = None

    def _start(self, job: Job) -> bool:
        if job.least > self.num_free:
            return False
        self.trying = job
        job.width = max(job.least, min(job.most, self.num_free, self._share()))
        sequences = job.start()
        if sequences is None:
            return False
        self.waiting.take(job)
        self._jobs[job] = None
        if job.more:
            self._wanting[job] = None
        self.running += sequences
        now = time.monotonic()
        self._seconds_each += (now - self._started_at - self._seconds_each) / PACE
        self._started_at = now
        return True

    def _grow(self, job: Job) -> bool:
        """One more sequence of a job, if there are a row and pages for it."""
        if not self.num_free:
            return False
        self.trying = job
        new = job.grow()
        self.running += new
        job.width += len(new)
        if not job.more:
            self._wanting.pop(job, None)
        return bool(new)

    def _share(self) -> int:
        """Rows of each call, if all had as many."""
        return max(1, self.max_batch // (len(self._jobs) + len(self.waiting)))

    def should_yield(self, job: Job) -> bool:
        """Whether a job of many sequences should leave the row of one that has ended to the calls that wait."""
        if not self.waiting or job.width <= self._share():
            return False
        return self.waiting.first.least <= self.max_batch - sum(other.least for other in self._jobs)

    def replace(self, gone: Sequence, new: list[Sequence]) -> None:
        """Replaces a running sequence by others of its job, which leaves its row if there are none."""
        self.running = [s for s in self.running if s is not gone] + new
        if not new:
            gone.job.width -= 1
            if gone.job.more:
                self._wanting[gone.job] = None

    def end(self, job: Job) -> None:
        """Removes a job, waiting or running, and its sequences."""
        if job in self._jobs:
            del self._jobs[job]
            self._wanting.pop(job, None)
            self.running = [s for s in self.running if s.job is not job]
        else:
            self.waiting.leave(job)

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
        spare_rows = self.num_free
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

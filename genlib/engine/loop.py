"""The one thread that steps: admit, schedule, build the batch, run the model, hand out what came of it.

The lock guards everything but the model's run, so that states can be read, forked and made while a step runs.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import numpy as np

from ..calls.call import cancelled
from ..calls.results import Result
from ..errors import EngineClosed, GenlibError, ModelError
from ..jobs.base import TokenJob
from ..model.base import Model
from ..states.cache import Cache
from .batch import Batch
from .scheduler import Job, Scheduler, Sequence, Wants

log = logging.getLogger("genlib")

_DRAW = Wants.DRAW  # looked up for every token

_STATUS = {1: "no finite logit among the tokens allowed", 2: "a logit of +inf"}


class Loop:
    """Owns the thread, and the batch."""

    def __init__(self, model: Model, batch: Batch, cache: Cache, scheduler: Scheduler) -> None:
        self.lock = threading.RLock()
        self.num_steps = self.prompt_tokens = self.generated_tokens = 0
        self._model = model
        self._batch = batch
        self._cache = cache
        self._scheduler = scheduler
        self._wake = threading.Condition(self.lock)
        self._jobs: dict[object, Job] = {}  # by call, until it is settled
        self._cancelled: list[Job] = []
        self._stopped: list[tuple[TokenJob, int | None, threading.Event]] = []
        self._closed = False
        self._progress = time.monotonic()
        self._copies = np.zeros((64, 2), np.int32)
        self._thread = threading.Thread(target=self._run, name="genlib-engine", daemon=True)
        self._thread.start()

    # Called by any thread.

    def submit(self, job: Job) -> None:
        """Queues a job. Raises QueueFull, EngineClosed. The caller holds the lock."""
        if self._closed:
            raise EngineClosed("the engine is closed; make a new one")
        self._scheduler.submit(job)
        self._jobs[job.call] = job
        self._wake.notify()

    def settle(self, call: object, taken: int | None) -> None:
        """Commits a stream: all of it, or what its consumer has taken. Waits for the step that it is in."""
        with self.lock:
            job = self._jobs.get(call)
            if not isinstance(job, TokenJob) or job.cancelled:
                return
            if job.call.done:
                self._settle(job, taken)
                return
            settled = threading.Event()
            self._stopped.append((job, taken, settled))
            self._wake.notify()
        settled.wait()

    def cancel(self, call: object) -> None:
        """Ends a call before the next step. Nothing happens if it is settled."""
        with self.lock:
            job = self._jobs.get(call)
            if job is not None and not job.cancelled:
                job.cancelled = True
                self._cancelled.append(job)
                self._wake.notify()

    def close(self) -> None:
        """Ends all calls with EngineClosed, and the thread. Idempotent."""
        with self.lock:
            self._closed = True
            self._wake.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    @property
    def last_step_age(self) -> float:
        """Seconds since the thread made progress; 0 while it has nothing to do."""
        if self._scheduler.idle and self._thread.is_alive():
            return 0.0
        return time.monotonic() - self._progress

    # The thread.

    def _run(self) -> None:
        work: list[tuple[Sequence, int]] = []
        while True:
            with self._wake:
                while not (self._closed or self._cancelled or self._stopped or not self._scheduler.idle):
                    self._wake.wait()
                if self._closed:
                    break
                tokens = self._begin()
                work = self._batch.work if tokens else []
            if not work:
                continue
            try:
                self._model.run(tokens)
            except Exception as error:
                self._fail_all(work, error)
                continue
            with self.lock:
                self._finish(work)
        with self.lock:
            for job in list(self._jobs.values()):
                self.fail(job, EngineClosed("the engine was closed while the call ran"))
            for _, _, settled in self._stopped:
                settled.set()

    def _settle(self, job: TokenJob, taken: int | None) -> None:
        self._scheduler.end(job)
        job.settle(taken)
        self._jobs.pop(job.call, None)

    def _heed(self) -> None:
        """Ends the calls that were cancelled or stopped since the last step."""
        for job in self._cancelled:
            if job.call in self._jobs:
                self.fail(job, cancelled())
        self._cancelled.clear()
        for stopped, taken, settled in self._stopped:
            if not stopped.cancelled:
                self._settle(stopped, taken)
                stopped.call.finish(stopped.result())
            settled.set()
        self._stopped.clear()

    def _begin(self) -> int:
        """Prepares the next step. Returns its number of tokens, 0 if there is nothing to run."""
        self._progress = time.monotonic()
        self._heed()
        if self._scheduler.waiting:
            self._admit()
        work = self._scheduler.plan()
        if not work:
            return 0
        table = self._cache.table
        tokens = self._batch.build(work, table)
        copies = table.num_copies
        if copies:
            if copies > len(self._copies):
                self._copies = np.zeros((2 * copies, 2), np.int32)
            table.take_copies(self._copies)
            self._model.copy_pages(self._copies[:copies])
        return tokens

    def _admit(self) -> None:
        """Starts what the batch and the pages have room for. A job that cannot start ends alone."""
        while True:
            try:
                self._scheduler.admit()
                return
            except Exception as error:
                self._break(self._scheduler.waiting[0], error)

    def _finish(self, work: list[tuple[Sequence, int]]) -> None:
        """Takes in what a step computed, and hands it to the jobs."""
        self.num_steps += 1
        batch, table = self._batch, self._cache.table
        table.commit_many(batch.entries, batch.plan.lengths[: len(work)])
        for seq, count in work:
            seq.computed += count
        draws = batch.num_draws
        self.generated_tokens += draws
        self.prompt_tokens += int(batch.plan.num_tokens[0]) - draws
        if draws:
            table.append_one(batch.draw_entries, batch.drawn.token[:draws])
        self._hand_out()
        for seq in batch.silent:
            if not seq.pending and not seq.job.cancelled:
                self._guard(seq.job, seq.job.computed, seq)

    def _hand_out(self) -> None:
        batch, status = self._batch, self._batch.drawn.status
        draws = batch.draws()
        bad = status[: len(draws)].any()
        searches: set[int] = set()
        for seq, row, num in batch.rows:
            job = seq.job
            if job.cancelled:
                continue
            if bad and seq.wants is not Wants.BEAM and status[row : row + num].any():
                reason = _STATUS[int(status[row : row + num].max())]
                self.fail(job, ModelError(f"the model gave {reason}"))
            elif seq.wants is _DRAW:
                seq.length += 1
                try:  # _guard, without a call for each token
                    job.drawn(seq, draws[row])
                except Exception as error:
                    self._break(job, error)
            elif seq.wants is Wants.SCORE:
                self._guard(job, job.scored, seq, [draw.logprob for draw in draws[row : row + num]])
            elif id(job) not in searches:
                searches.add(id(job))
                self._guard(job, job.expanded)

    def _guard(self, job: Job, step: Callable[..., None], *args: object) -> None:
        """A job that breaks ends alone."""
        try:
            step(*args)
        except Exception as error:
            self._break(job, error)

    def _break(self, job: Job, error: Exception) -> None:
        """Fails a job; what nobody foresaw is logged too."""
        if not isinstance(error, GenlibError):
            log.error("a call failed", exc_info=error)
        self.fail(job, error)

    def finish(self, job: Job, result: Result) -> None:
        """A job has ended well: its sequences leave the batch, and whoever waits gets the result."""
        self._scheduler.end(job)
        if not job.call.streams:
            self._jobs.pop(job.call, None)
        job.call.finish(result)

    def fail(self, job: Job, error: Exception) -> None:
        """Ends a job with an error; its state is as it was."""
        job.cancelled = True
        self._scheduler.end(job)
        job.release()
        self._jobs.pop(job.call, None)
        job.call.fail(error)

    def _fail_all(self, work: list[tuple[Sequence, int]], error: Exception) -> None:
        """A step failed: so do the calls that were in it."""
        log.error("a step failed", exc_info=error)
        known = error if isinstance(error, GenlibError) else ModelError(f"the model's step failed: {error!r}")
        with self.lock:
            for seq, _ in work:
                if not seq.job.cancelled:
                    self.fail(seq.job, known)

"""The thread that steps: prepare (admit, schedule, fill the batch), run the model, hand out the results.

The lock is not held while the model runs, so that states can be read, forked and created during a step.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ..calls.call import cancelled
from ..calls.results import Result
from ..errors import EngineClosed, GenlibError, ModelError
from ..jobs.base import Job
from ..jobs.sequence import Sequence, Wants
from ..model.base import Model
from ..ops.buffers import explain_status
from ..states.cache import Cache
from .batch import Batch
from .scheduler import Scheduler

log = logging.getLogger("genlib")

_TOKEN = Wants.TOKEN  # looked up for every token


class Loop:
    """Owns the thread and the batch."""

    def __init__(self, model: Model, batch: Batch, cache: Cache, scheduler: Scheduler) -> None:
        self.lock = threading.RLock()
        self.num_steps = self.prompt_tokens = self.generated_tokens = 0
        self._model = model
        self._batch = batch
        self._cache = cache
        self._scheduler = scheduler
        self._wake = threading.Condition(self.lock)
        self._jobs: dict[object, Job] = {}  # by call, until it is settled (committed or failed)
        self._cancelled: list[Job] = []
        self._stopped: list[tuple[Job, int | None, threading.Event]] = []
        self._closed = False
        self._progress = time.monotonic()
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
        """Commits a stream: its first `taken` pieces, or all if None. Waits for the step in progress."""
        with self.lock:
            job = self._jobs.get(call)
            if job is None or job.cancelled:
                return
            if job.call.done:
                job.call.finish(self._settle(job, taken))
                return
            settled = threading.Event()
            self._stopped.append((job, taken, settled))
            self._wake.notify()
        settled.wait()

    def cancel(self, call: object) -> None:
        """Cancels a call before the next step. Does nothing if it is settled."""
        with self.lock:
            job = self._jobs.get(call)
            if job is not None and not job.cancelled:
                job.cancelled = True
                self._cancelled.append(job)
                self._wake.notify()

    def close(self) -> None:
        """Ends all calls with EngineClosed, then the thread. Idempotent."""
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

    # Called by jobs, on the thread, with the lock held (jobs.base.Runner).

    def replace(self, gone: Sequence, new: list[Sequence]) -> None:
        self._scheduler.replace(gone, new)

    def finish(self, job: Job, result: Result) -> None:
        self._scheduler.end(job)
        if not job.call.streams:
            self._jobs.pop(job.call, None)
        job.call.finish(result)

    # The thread.

    def _run(self) -> None:
        while self._wait():
            self._step()
        with self.lock:
            for job in list(self._jobs.values()):
                self._fail(job, EngineClosed("the engine was closed while the call ran"))
            for _, _, settled in self._stopped:
                settled.set()

    def _wait(self) -> bool:
        """Waits for something to do. Returns False once the engine is closed."""
        with self._wake:
            while not (self._closed or self._cancelled or self._stopped or not self._scheduler.idle):
                self._wake.wait()
            return not self._closed

    def _step(self) -> None:
        """Runs one step."""
        with self.lock:
            work, num_tokens = self._begin()
        if not work:
            return
        try:
            self._model.run(num_tokens)
        except Exception as error:
            self._fail_all(work, error)
            return
        with self.lock:
            self._take_in(work)
            self._hand_out()

    def _heed(self) -> None:
        """Ends the calls that were cancelled or stopped since the last step."""
        for job in self._cancelled:
            if job.call in self._jobs:
                self._fail(job, cancelled())
        self._cancelled.clear()
        for stopped, taken, settled in self._stopped:
            if not stopped.cancelled:
                stopped.call.finish(self._settle(stopped, taken))
            settled.set()
        self._stopped.clear()

    def _settle(self, job: Job, taken: int | None) -> Result:
        self._scheduler.end(job)
        result = job.settle(taken)
        self._jobs.pop(job.call, None)
        return result

    def _begin(self) -> tuple[list[tuple[Sequence, int]], int]:
        """Prepares the next step. Returns its work, which may be empty, and its number of tokens."""
        self._progress = time.monotonic()
        self._heed()
        if self._scheduler.waiting:
            self._admit()
        work = self._scheduler.plan()
        if not work:
            return work, 0
        num_tokens = self._batch.build(work, self._cache.table)
        copies = self._cache.take_copies()
        if len(copies):
            self._model.copy_pages(copies)
        return work, num_tokens

    def _admit(self) -> None:
        """Starts the jobs for which there is room. A job that fails to start does not affect the others."""
        while True:
            try:
                self._scheduler.admit()
                return
            except Exception as error:
                self._break(self._scheduler.waiting[0], error)

    def _take_in(self, work: list[tuple[Sequence, int]]) -> None:
        """Records what a step has computed: the keys and values of all its tokens, and the new tokens."""
        self.num_steps += 1
        batch, table = self._batch, self._cache.table
        table.commit_many(batch.entries, batch.plan.lengths[: len(work)])
        for seq, count in work:
            seq.computed += count
        new = batch.num_new
        self.generated_tokens += new
        self.prompt_tokens += int(batch.plan.num_tokens[0]) - new
        if new:
            table.append_one(batch.new_entries, batch.output.token[:new])

    def _hand_out(self) -> None:
        """Passes the results of the step to the jobs of its sequences."""
        batch, status = self._batch, self._batch.output.status
        sampled = batch.sampled()
        bad = status[: len(sampled)].any()
        for seq, row, num in batch.rows:
            job = seq.job
            if job.cancelled:
                continue
            if bad and seq.wants is not Wants.BEAMS and status[row : row + num].any():
                reason = explain_status(int(status[row : row + num].max()))
                self._fail(job, ModelError(f"the model produced {reason}"))
            elif seq.wants is _TOKEN:
                seq.length += 1
                try:  # as in _guard, without a function call per token
                    job.on_token(seq, sampled[row])
                except Exception as error:
                    self._break(job, error)
            elif seq.wants is Wants.SCORES:
                self._guard(job, job.on_scores, [token.logprob for token in sampled[row : row + num]])
            elif seq.index == 0:  # once for all beams of the search
                self._guard(job, job.on_beams)
        for seq in batch.silent:
            if not seq.pending and not seq.job.cancelled:
                self._guard(seq.job, seq.job.on_prefilled, seq)

    def _guard(self, job: Job, step: Callable[..., None], *args: object) -> None:
        """Runs a job's handler. An exception fails this job only."""
        try:
            step(*args)
        except Exception as error:
            self._break(job, error)

    def _break(self, job: Job, error: Exception) -> None:
        """Fails a job; an unexpected error is also logged."""
        if not isinstance(error, GenlibError):
            log.error("a call failed", exc_info=error)
        self._fail(job, error)

    def _fail(self, job: Job, error: Exception) -> None:
        """Ends a job with an error; its state is unchanged."""
        job.cancelled = True
        self._scheduler.end(job)
        job.release()
        self._jobs.pop(job.call, None)
        job.call.fail(error)

    def _fail_all(self, work: list[tuple[Sequence, int]], error: Exception) -> None:
        """Fails all calls that were in a failed step."""
        log.error("a step failed", exc_info=error)
        known = error if isinstance(error, GenlibError) else ModelError(f"the model's step failed: {error!r}")
        with self.lock:
            for seq, _ in work:
                if not seq.job.cancelled:
                    self._fail(seq.job, known)

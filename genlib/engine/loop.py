"""The thread that steps: prepare (admit, schedule, fill the batch), run the model, hand out the results.

The lock is held for all but the model's run, so that states can be read, forked and made while a step runs. The thread
keeps no engine alive: one that nobody has any more is collected, which ends its thread.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable

from ..checks import shown
from ..errors import EngineClosed, EngineFailed, GenlibError, ModelError
from ..jobs.base import Job
from ..jobs.sequence import Sequence, Wants
from ..model.base import Model
from ..ops.buffers import explain_status
from ..states.cache import Cache
from .batch import Batch
from .bell import Bell
from .open_calls import OpenCalls
from .scheduler import Scheduler

log = logging.getLogger("genlib")

LONGEST_EXIT = 10.0  # seconds that the end of the process waits for a step, or for a token mask
_TOKEN = Wants.TOKEN  # looked up for every token


def run(reference: weakref.ref[Loop], bell: Bell, model: Model) -> None:
    """The thread: turns, until the loop is closed or nobody has it any more. Then the model is closed."""
    try:
        while (loop := reference()) is not None and not loop.closed:
            seconds = loop.turn()
            del loop
            if seconds != 0:
                bell.wait(seconds)
        if loop is not None:
            loop.end(EngineClosed("the engine was closed while the call ran"))
    except BaseException as error:
        if (loop := reference()) is not None:
            loop.die(error)
    finally:
        model.close()


def at_exit(reference: weakref.ref[Loop], process: int) -> Callable[[], None]:
    """Closes a loop that is still there when its process ends."""

    def close() -> None:
        loop = reference()
        if loop is not None and os.getpid() == process:
            loop.close(wait=LONGEST_EXIT)

    return close


class Loop:
    """Owns the thread, and the batch. start() begins it."""

    def __init__(self, model: Model, batch: Batch, cache: Cache, scheduler: Scheduler, calls: OpenCalls) -> None:
        self.num_steps = self.prompt_tokens = self.generated_tokens = 0
        self.closed = False
        self._made_at = time.monotonic()
        self._model = model
        self._batch = batch
        self._cache = cache
        self._scheduler = scheduler
        self._calls = calls
        arguments = (weakref.ref(self), calls.bell, model)
        self._at_exit = at_exit(weakref.ref(self), os.getpid())
        self._thread = threading.Thread(target=run, args=arguments, name="genlib-engine", daemon=True)

    def start(self) -> None:
        """Begins the thread. It ends before the interpreter does, which would cut it off in native code."""
        self._thread.start()
        self._calls.thread_id = self._thread.ident
        atexit.register(self._at_exit)

    def close(self, *, wait: float | None) -> None:
        """Ends all calls with EngineClosed, and the thread; waits for it for so many seconds, None for as long as it
        takes. Finalisers must not wait. Idempotent. Raises ReentrantCall."""
        if wait != 0:
            self._calls.check_outermost()
        self.closed = True
        self._calls.bell.ring()
        if wait != 0 and threading.current_thread() is not self._thread:
            self._thread.join(wait)
            atexit.unregister(self._at_exit)

    @property
    def uptime(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._made_at

    @property
    def last_step_age(self) -> float:
        """Seconds since the thread made progress; 0 while it has nothing to do."""
        if self._scheduler.idle and self._thread.is_alive():
            return 0.0
        return time.monotonic() - self._calls.progress

    # The thread.

    def turn(self) -> float | None:
        """A step, if there is something to do. Returns for how many seconds to wait before the next turn: 0 is not at
        all, None until the bell rings."""
        try:
            with self._calls.lock:
                work, num_tokens, left = self._begin()
            if not work:
                return left
            self._step(work, num_tokens)
        except BaseException as error:  # of ours: a job's own end it alone
            self.die(error)
        return 0

    def die(self, error: BaseException) -> None:
        """Fails all calls, those to come too: the thread cannot go on."""
        log.critical("the engine's thread has ended", exc_info=error)
        failed = EngineFailed(f"the engine's thread has ended: {shown(error)}; make a new engine")
        failed.__cause__ = error
        self.end(failed)

    def _step(self, work: list[tuple[Sequence, int]], num_tokens: int) -> None:
        """One token of every sequence that runs."""
        try:
            self._model.launch(num_tokens)
            self._model.wait()
        except Exception as error:
            self._fail_all(work, error)
            return
        with self._calls.lock:
            self._take_in(work)
            self._hand_out()

    def end(self, error: EngineClosed) -> None:
        """Ends all calls with an error; none can begin any more."""
        self.closed = True
        with self._calls.lock:
            self._calls.stepping = False
            self._calls.close(error)

    def _begin(self) -> tuple[list[tuple[Sequence, int]], int, float | None]:
        """Prepares the next step. Returns its work, which may be nothing; its number of tokens; and, if there is no
        work, for how long there may be none."""
        left = self._calls.tidy()
        if self._scheduler.unsettled:
            self._admit()
        if self._calls.line:
            self._calls.line.serve()
        work = self._scheduler.plan()
        if not work:
            return work, 0, left
        self._calls.progress = time.monotonic()
        num_tokens = self._batch.build(work, self._cache.table)
        copies = self._cache.take_copies()
        if len(copies):
            self._model.copy_pages(copies)
        self._calls.stepping = True
        return work, num_tokens, left

    def _admit(self) -> None:
        """Starts the jobs for which there is room. A job that fails to start does not affect the others."""
        while True:
            try:
                self._scheduler.admit()
                return
            except Exception as error:
                if self._scheduler.trying is None:
                    raise
                self._calls.fail(self._scheduler.trying, error)

    def _take_in(self, work: list[tuple[Sequence, int]]) -> None:
        """Notes what a step has computed: keys and values of all its tokens, and the new tokens."""
        self._calls.stepping = False
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
            if job.ended:
                continue
            if bad and seq.wants is not Wants.BEAMS and status[row : row + num].any():
                reason = explain_status(int(status[row : row + num].max()))
                self._calls.fail(job, ModelError(f"the model gave {reason}"))
            elif seq.wants is _TOKEN:
                seq.length += 1
                try:  # as in _guard, without a function call per token
                    job.on_token(seq, sampled[row])
                except Exception as error:
                    self._calls.fail(job, error)
            elif seq.wants is Wants.SCORES:
                self._guard(job, job.on_scores, seq, sampled[row : row + num])
            elif seq.index == 0:  # once for all beams of the search
                self._guard(job, job.on_beams)
        for seq in batch.silent:
            if not seq.pending and not seq.job.ended:
                self._guard(seq.job, seq.job.on_prefilled, seq)

    def _guard(self, job: Job, step: Callable[..., None], *args: object) -> None:
        """Runs a job's handler. An exception fails this job only."""
        try:
            step(*args)
        except Exception as error:
            self._calls.fail(job, error)

    def _fail_all(self, work: list[tuple[Sequence, int]], error: Exception) -> None:
        """Fails all calls that were in a failed step."""
        log.error("a step failed", exc_info=error)
        known = error if isinstance(error, GenlibError) else ModelError(f"the model's step failed: {shown(error)}")
        with self._calls.lock:
            self._calls.stepping = False
            for seq, _ in work:
                if not seq.job.ended:
                    self._calls.fail(seq.job, known)

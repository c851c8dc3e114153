"""The calls that have not ended, and how each does: the one place, whatever way it ends.

A call ends in two parts. At once, with the lock held: its tokens are committed or not, its state is free, its handle is
told. What its sequences hold is given back later, between two steps, since the step that is on may be using it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import NamedTuple

from ..calls.channel import Answer, Channel, HandleRef, cancelled, timed_out
from ..errors import CallCancelled, EngineClosed, GenlibError, ReentrantCall
from ..jobs.base import Job
from ..jobs.sequence import Sequence
from .bell import Bell
from .guard import Guard
from .line import Line, Place
from .scheduler import Scheduler

log = logging.getLogger("genlib")


class End(NamedTuple):
    """See CallOwner.end."""

    channel: Channel
    taken: int | None
    error: Exception | None


def end_of_dropped(channel: Channel) -> End:
    return End(channel, channel.taken, None) if channel.streams else End(channel, None, cancelled())


class OpenCalls(Guard):
    """Jobs by their calls' channels. The lock guards them, the states and the scheduler. The engine's thread takes it
    itself; all others take `lock_for_use`.
    """

    def __init__(self, scheduler: Scheduler, bell: Bell) -> None:
        super().__init__()
        self.bell = bell
        self.stepping = False  # whether a step is using what jobs hold
        self.progress = time.monotonic()  # when a step began last, or there was something to do for the first time
        self.line = Line(scheduler, bell)
        self._scheduler = scheduler
        self._jobs: dict[Channel, Job] = {}
        self._posted: deque[End | HandleRef] = deque()
        self._timed: set[Job] = set()  # those with a deadline
        self._gone: list[Job] = []  # ended, and still holding what a step may be using
        self._closed: EngineClosed | None = None

    # By any thread.

    def lock_for_use(self) -> threading.RLock:
        """The lock, to be taken at once by `with`; what was posted before has been heeded. Raises as check_caller does.

        It is handed out and not taken here, lest an exception of a signal handler come between taking and `with`.
        """
        self.check_caller()
        if self._posted:
            with self.lock:
                self.heed()
        return self.lock

    def post_end(self, channel: Channel, taken: int | None, error: Exception | None = None) -> None:
        if not channel.ended:
            self._posted.append(End(channel, taken, error))
            self.bell.ring()

    def end(self, channel: Channel, taken: int | None, error: Exception | None = None) -> None:
        self.post_end(channel, taken, error)
        self.lock_for_use()

    def watch(self, channel: Channel, handle: object) -> None:
        channel.watch(handle, self._posted.append, self.bell.ring_with)

    def heed_posted(self) -> None:
        if self._posted:
            self.lock_for_use()

    def end_together(self, channels: list[Channel]) -> None:
        with self.lock_for_use():
            self.heed()
            if not any(channel.error for channel in channels):
                # In one step: whatever interrupts this, all are posted or none, and what is posted is heeded.
                self._posted.extend([End(channel, None, None) for channel in channels if not channel.ended])
                self.heed()

    @property
    def any_posted(self) -> bool:
        """Whether some end has not been heeded."""
        return bool(self._posted)

    @property
    def any_left(self) -> bool:
        """Whether a call has not ended, or one that has still holds something."""
        return bool(self._jobs or self._posted or self._gone)

    # With the lock held.

    def heed(self) -> None:
        """Ends the calls whose ends were posted.

        A signal's handler may raise in the midst of it: then whoever heeds next ends the same call again, from the
        beginning, which each step of an end must bear.
        """
        while self._posted:
            self._end(self._posted[0])
            self._posted.popleft()

    def check_open(self) -> None:
        """Raises EngineClosed, or a narrower one, if no call can begin."""
        if self._closed is not None:
            raise type(self._closed)(self._closed.message) from self._closed

    def enter(self, job: Job) -> None:
        """Before a job claims its state: from here on whoever is interrupted can end the call."""
        self._jobs[job.channel] = job

    def submit(self, job: Job, place: Place | None = None) -> None:
        """Queues a job, in a place that was granted or where there is room. Raises QueueFull."""
        if place is not None:
            self.line.take(place)
        else:
            self.line.serve()  # whoever has left it takes no room
            self._scheduler.check_room(job.channel.caller)
        if self._scheduler.idle:
            self.progress = time.monotonic()
        self._scheduler.submit(job)
        if job.channel.deadline is not None:
            self._timed.add(job)
        self.bell.ring()

    def refuse(self, job: Job) -> None:
        """Takes back a job that could not begin."""
        self._scheduler.end(job)
        job.abandon()
        self._forget(job)

    def _end(self, post: End | HandleRef) -> None:
        end = post if isinstance(post, End) else end_of_dropped(post.channel)
        job = self._jobs.get(end.channel)
        if job is None:
            return
        if end.error is not None:
            self.fail(job, end.error)
            return
        try:
            answer = job.settle(end.taken)
        except Exception as error:
            ours = isinstance(error, GenlibError) and not isinstance(error, ReentrantCall)
            if not (self.on_thread or ours):
                raise  # a signal handler's, perhaps; the engine's thread tries again
            self.fail(job, error)
        else:
            self.finish(job, answer)

    def replace(self, gone: Sequence, new: list[Sequence]) -> None:
        self._scheduler.replace(gone, new)

    def should_yield(self, job: Job) -> bool:
        return self._scheduler.should_yield(job)

    def generated(self, job: Job) -> None:
        self._scheduler.end(job)
        job.channel.finish_pieces()

    def finish(self, job: Job, answer: Answer) -> None:
        self._retire(job)
        job.channel.finish(answer)
        self._forget(job)

    def fail(self, job: Job, error: Exception) -> None:
        """Ends a job with an error; its state is unchanged. What nobody foresaw is logged too."""
        if not isinstance(error, GenlibError):
            log.error("a call failed", exc_info=error)
        job.abandon()
        self._retire(job)
        job.channel.fail(error)
        self._forget(job)

    def _retire(self, job: Job) -> None:
        job.ended = True
        self._scheduler.end(job)
        if job not in self._gone:
            self._gone.append(job)
        if self.on_thread and not self.stepping:
            self.release()
        else:
            self.bell.ring()

    def _forget(self, job: Job) -> None:
        self._timed.discard(job)
        self._jobs.pop(job.channel, None)

    def release(self) -> None:
        """Gives back what ended calls still hold. By the engine's thread, between steps."""
        while self._gone:
            try:
                self._gone[-1].release()
            except Exception as error:
                log.error("what a call held could not be given back", exc_info=error)
            self._gone.pop()

    def tidy(self) -> float | None:
        """What is due before a step: posted ends, what ended calls hold, deadlines. Returns as `expire` does."""
        if self._posted:
            self.heed()
        if self._gone:
            self.release()
        return self.expire() if self._timed else None

    def expire(self) -> float | None:
        """Ends the calls that have reached their deadlines. Returns how many seconds are left to the next one."""
        now, left = time.monotonic(), []
        for job in list(self._timed):
            assert job.channel.deadline is not None
            left.append(job.channel.deadline - now)
            if left[-1] <= 0:
                self.fail(job, timed_out())
        return min((seconds for seconds in left if seconds > 0), default=None)

    def drop_unread(self, channel: object) -> None:
        """Ends a stream that has all its tokens, but whose reader has not taken them."""
        job = self._jobs.get(channel) if isinstance(channel, Channel) else None
        if job is not None and job.channel.complete and job.channel.streams:
            self.fail(job, CallCancelled("the stream's state was closed before its last tokens were taken"))

    def close(self, error: EngineClosed) -> None:
        """Ends all calls with an error; none can begin any more."""
        self._closed = self._closed or error  # the first says why
        self.heed()
        for job in list(self._jobs.values()):
            self.fail(job, error)
        self.line.close()

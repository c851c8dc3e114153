"""Waiting in line for room in the queue."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.engine import PROMPT, FakeModel, check_pages_back, fake_engine, ids, wait_until_idle

import genlib
from genlib import GenerateToken

QUEUE = 2


@pytest.fixture
def gate() -> threading.Semaphore:
    """Each step takes one."""
    return threading.Semaphore(0)


@pytest.fixture
def engine(gate: threading.Semaphore) -> Iterator[genlib.Engine]:
    """One call runs, two wait, and no more."""
    with fake_engine(FakeModel(gate=gate), max_batch=1, max_queue=QUEUE) as engine:
        for _ in range(1 + QUEUE):
            engine.submit(GenerateToken(engine.create_state(PROMPT), max_tokens=3, sampling=genlib.Sampling(seed=1)))
            while engine.stats().running < 1:
                time.sleep(0.001)
        with pytest.raises(genlib.QueueFull):
            engine.submit(GenerateToken(engine.create_state(PROMPT)))
        yield engine
        gate.release(10_000)
        if not engine.loop.closed:
            wait_until_idle(engine)
            for state in engine.states():
                state.close()
            check_pages_back(engine)


class Waiter(threading.Thread):
    """Runs something; has what it returned or raised."""

    def __init__(self, what: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.what = what
        self.outcome: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self.what()
        except BaseException as error:
            self.outcome = error


def in_line(engine: genlib.Engine) -> int:
    with engine.lock:
        return sum(not place.left for place in engine.calls.line._places)


def line_up(engine: genlib.Engine, count: int, **options: Any) -> tuple[list[Waiter], list[genlib.State]]:
    """So many callers, who came one after another."""
    waiters, states = [], []
    for _ in range(count):
        states.append(engine.create_state(PROMPT))
        request = GenerateToken(states[-1], max_tokens=3, sampling=genlib.Sampling(seed=1))
        before = in_line(engine)
        waiters.append(Waiter(lambda request=request: engine.submit(request, wait=True, **options)))
        while in_line(engine) == before and waiters[-1].is_alive():
            time.sleep(0.001)
    return waiters, states


def test_first_come_first_served(engine: genlib.Engine, gate: threading.Semaphore) -> None:
    waiters, states = line_up(engine, 5)
    assert in_line(engine) == 5
    for i, waiter in enumerate(waiters):
        assert all(w.is_alive() for w in waiters[i:])
        gate.release(3)  # the call that runs ends, one of the queue begins, and one place is free
        waiter.join()
        with pytest.raises(genlib.QueueFull):
            engine.submit(GenerateToken(engine.create_state(PROMPT)))  # nobody passes those who wait
    gate.release(1000)
    results = [waiter.outcome.result() for waiter in waiters]
    assert [r.token_ids for r in results] == [ids(engine, max_tokens=3, seed=1)] * 5
    assert all(state.num_tokens == len(PROMPT) + 1 + 3 for state in states)


def test_the_first_call_of_another_caller_passes_a_line(engine: genlib.Engine, gate: threading.Semaphore) -> None:
    """As it has room in the queue itself; its second one does not."""
    waiters, _ = line_up(engine, 3)
    other = engine.submit(GenerateToken(engine.create_state(PROMPT), max_tokens=3), wait=True, caller="other")
    assert in_line(engine) == 3
    later, _ = line_up(engine, 1, caller="other")
    assert in_line(engine) == 4
    gate.release(1000)
    assert other.result().token_ids
    for waiter in waiters + later:
        waiter.join()
        assert waiter.outcome.result().token_ids


def test_room_is_taken_at_once(engine: genlib.Engine, gate: threading.Semaphore) -> None:
    gate.release(1000)
    wait_until_idle(engine)
    state = engine.create_state(PROMPT)
    assert engine.submit(GenerateToken(state, max_tokens=3), wait=True).result().token_ids
    assert in_line(engine) == 0


def test_a_timeout_covers_the_line(engine: genlib.Engine, gate: threading.Semaphore) -> None:
    (patient,), _ = line_up(engine, 1)
    began = time.monotonic()
    state = engine.create_state(PROMPT)
    with pytest.raises(genlib.CallTimeout):
        engine.submit(GenerateToken(state), wait=True, timeout=0.05)
    assert time.monotonic() - began >= 0.05
    gate.release(1000)
    patient.join()
    assert patient.outcome.result().token_ids
    state.append("free")


def test_what_a_request_has_wrong_is_said_at_once(engine: genlib.Engine) -> None:
    state = engine.create_state(PROMPT)
    for request, error in [
        (GenerateToken(state, max_tokens=1000), genlib.ContextLengthExceeded),
        (GenerateToken(state, sampling=genlib.Sampling(allowed_tokens=[500])), genlib.InvalidRequest),
    ]:
        with pytest.raises(error):
            engine.submit(request, wait=True)
    with pytest.raises(genlib.InvalidRequest, match="`wait`"):
        engine.submit(GenerateToken(state), wait=1)  # type: ignore[arg-type]


def test_a_state_that_is_busy_when_its_turn_comes(engine: genlib.Engine, gate: threading.Semaphore) -> None:
    """Its place goes to the next, between two steps."""
    (first, second), (busy, _) = line_up(engine, 2)
    with engine.lock:
        engine.store.lock(busy, self := object())
    gate.release(3)
    first.join()
    assert isinstance(first.outcome, genlib.StateBusy)
    gate.release()
    second.join()
    assert isinstance(second.outcome, genlib.Call)
    with engine.lock:
        engine.store.unlock(busy, self)


def test_an_interrupt_leaves_the_line(engine: genlib.Engine, gate: threading.Semaphore) -> None:
    state = engine.create_state(PROMPT)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.03)
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.submit(GenerateToken(state), wait=True)
    finally:
        signal.signal(signal.SIGALRM, before)
    state.append("free")
    (patient,), _ = line_up(engine, 1)
    gate.release(1000)
    patient.join()
    wait_until_idle(engine)
    assert in_line(engine) == 0


def test_calls_that_are_cancelled_in_the_queue_make_room(engine: genlib.Engine, gate: threading.Semaphore) -> None:
    waiters, _ = line_up(engine, QUEUE)
    with engine.lock:
        queued = [job.channel for job in engine.scheduler.waiting]
    for channel in queued:
        engine.calls.end(channel, None, genlib.CallCancelled("not needed"))
    gate.release()  # the call that runs goes on
    for waiter in waiters:
        waiter.join()
        assert isinstance(waiter.outcome, genlib.Call)


def test_closing_the_engine_ends_all_waits(engine: genlib.Engine, gate: threading.Semaphore) -> None:
    waiters, _ = line_up(engine, 3)
    closer = Waiter(engine.close)
    gate.release(1000)
    closer.join()
    for waiter in waiters:
        waiter.join()
        assert isinstance(waiter.outcome, genlib.EngineClosed | genlib.Call)


def test_the_thread_that_ends_by_an_error_ends_all_waits(
    engine: genlib.Engine, gate: threading.Semaphore, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiters, _ = line_up(engine, 3)

    def broken() -> None:
        raise RuntimeError("no plan")

    monkeypatch.setattr(engine.scheduler, "plan", broken)
    gate.release()
    for waiter in waiters:
        waiter.join()
        assert isinstance(waiter.outcome, genlib.EngineFailed | genlib.Call)


def test_more_states_than_the_queue_holds() -> None:
    with fake_engine(FakeModel(), max_batch=2, max_queue=3, pages=200) as engine:
        states = [engine.create_state(PROMPT) for _ in range(30)]
        results = genlib.generate_tokens(states, max_tokens=4, seed=[1] * 30)
        assert [result.token_ids for result in results] == [ids(engine, max_tokens=4, seed=1)] * 30


def test_many_threads_and_none_is_lost() -> None:
    with fake_engine(FakeModel(), max_batch=2, max_queue=1, pages=200) as engine:
        expected = ids(engine, max_tokens=4, seed=1)

        def work() -> list[tuple[int, ...]]:
            found = []
            for i in range(10):
                request = GenerateToken(engine.create_state(PROMPT), max_tokens=4, sampling=genlib.Sampling(seed=1))
                call = engine.submit(request, wait=True)
                if i % 4 == 3:
                    call.cancel()
                else:
                    found.append(call.result().token_ids)
            return found

        waiters = [Waiter(work) for _ in range(12)]
        for waiter in waiters:
            waiter.join()
            assert waiter.outcome == [expected] * 8
        wait_until_idle(engine)
        assert in_line(engine) == len(engine.scheduler.promised) == 0

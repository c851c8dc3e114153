"""A call that is interrupted while it begins, is refused, or is dropped leaves its state free."""

from __future__ import annotations

import contextlib
import random
import signal
import sys
from collections.abc import Callable, Iterator
from inspect import CO_GENERATOR
from types import FrameType
from typing import Any

import pytest
from support.engine import check_pages_back, fake_engine, wait_until_idle

import genlib
from genlib import GenerateToken


@pytest.fixture
def engine() -> Iterator[genlib.Engine]:
    with fake_engine(max_batch=1, max_queue=1) as engine:
        yield engine


def interrupted_at(i: int, call: Callable[[], Any]) -> bool:
    """Runs a call, and raises KeyboardInterrupt as the i-th function of genlib begins that it runs, which is where the
    interpreter runs signals' handlers. Whether there was one."""
    left = i

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        code = frame.f_code
        finalises = code.co_flags & CO_GENERATOR or code.co_name == "__del__"  # whose exceptions go nowhere
        if event == "call" and "genlib" in code.co_filename and not finalises:
            left -= 1
            if not left:
                raise KeyboardInterrupt

    sys.settrace(trace)
    try:
        call()
    except (KeyboardInterrupt, genlib.QueueFull):
        pass
    finally:
        sys.settrace(None)
    return left <= 0


@pytest.mark.parametrize("full", [True, False])
def test_as_any_function_begins(engine: genlib.Engine, full: bool) -> None:
    others = [engine.create_state("b") for _ in range(2)]
    state = engine.create_state("a")
    i, had_one = 0, True
    while had_one:
        i += 1
        busy = []
        if full:
            busy = [engine.submit(genlib.GenerateMulti(other, n=50, max_tokens=100)) for other in others[:1]]
            while not engine.stats().running:
                pass
            busy.append(engine.submit(genlib.GenerateMulti(others[1], n=50, max_tokens=100)))
        had_one = interrupted_at(i, lambda: engine.run(GenerateToken(state, max_tokens=1)))
        for call in busy:
            call.cancel()
        state.append("c")
        state.truncate(1)
    assert i > 30
    for one in engine.states():
        one.close()
    wait_until_idle(engine)
    check_pages_back(engine)


class Struck(Exception):
    pass


def drop_a_stream(state: genlib.State, delay: float) -> None:
    """The handler's exception may come before, in the midst of, or after it."""
    try:
        stream = genlib.generate_token(state, max_tokens=2, stream=True)
        signal.setitimer(signal.ITIMER_REAL, delay)
        del stream
        for _ in range(30):
            pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_at_any_moment_of_a_drop() -> None:
    """Also as a finaliser begins, which would then never run."""

    def strike(*_: object) -> None:
        raise Struck

    rng, before = random.Random(5), signal.signal(signal.SIGALRM, strike)
    try:
        with fake_engine() as engine:
            state = engine.create_state("a")
            for _ in range(3000):
                with contextlib.suppress(Struck):
                    drop_a_stream(state, rng.random() * 12e-6 + 1e-6)
                state.append("b")
                state.truncate(1)
    finally:
        signal.signal(signal.SIGALRM, before)

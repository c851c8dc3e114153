"""Finalisers and signal handlers that use an engine: where they interrupt a use of it they are refused, never stuck."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from support.engine import PROMPT, FakeModel, check_pages_back, fake_engine, ids, wait_until_idle

import genlib
from genlib import BeamSearch, GenerateToken


def uses(engine: genlib.Engine, state: genlib.State) -> dict[str, Callable[[], object]]:
    """All that takes the engine's lock."""
    done = engine.submit(GenerateToken(state.fork(), max_tokens=1))
    done.result()
    stream = engine.submit(GenerateToken(state.fork(), max_tokens=3), stream=True)
    return {
        "create_state": lambda: engine.create_state("x"),
        "state": lambda: engine.state(state.id),
        "states": engine.states,
        "stats": engine.stats,
        "text": lambda: state.text,
        "fork": state.fork,
        "append": lambda: state.append("x"),
        "truncate": lambda: state.truncate(1),
        "close a state": state.close,
        "close": engine.close,
        "score": lambda: state.score("x"),
        "generate_token": lambda: genlib.generate_token(state),
        "generate_multi": lambda: genlib.generate_multi(state),
        "beam_search": lambda: genlib.beam_search(state),
        "submit": lambda: engine.submit(GenerateToken(state)),
        "result": done.result,
        "next_piece": stream.next_piece,
    }


def test_what_interrupts_a_use_is_refused() -> None:
    with fake_engine() as engine:
        state = engine.create_state(PROMPT)
        tokens, forks = state.tokens, uses(engine, state)
        with engine.lock:
            for name, use in forks.items():
                with pytest.raises(genlib.ReentrantCall, match="later"):
                    use()
                assert not engine.calls._closed, name
            assert state.tokens == tokens
            assert not state.finished
        assert state.tokens == tokens
        assert len(genlib.generate_token(state, max_tokens=2).token_ids) == 2


def test_what_posts_an_end_never_waits() -> None:
    with fake_engine(FakeModel(context_length=2000), pages=200) as engine:
        states = [engine.create_state(PROMPT) for _ in range(3)]
        calls = [engine.submit(GenerateToken(state, max_tokens=900), stream=i > 0) for i, state in enumerate(states)]
        with engine.lock:
            calls[0].cancel()
            calls[1].close()
            del calls[2]
        for state in states:
            state.append("x")
            state.close()


@contextmanager
def alarms(handler: Callable[[], object]) -> Iterator[None]:
    """Has a handler called five thousand times a second, between any two bytecodes of this thread."""
    before = signal.signal(signal.SIGALRM, lambda *_: handler())
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Guest:
    """What uses an engine at moments of its own: all works, or is refused."""

    def __init__(self, engine: genlib.Engine) -> None:
        self.engine = engine
        self.state = engine.create_state(PROMPT)
        self.prompt = self.state.tokens
        self.whole = ids(engine, max_tokens=2, seed=7)
        self.busy = False
        self.outcomes: Counter[str] = Counter()

    def use(self) -> None:
        if self.busy:  # of itself
            return
        self.busy = True
        try:
            self._use()
            self.outcomes["done"] += 1
        except genlib.ReentrantCall:
            self.outcomes["refused"] += 1
        finally:
            self.busy = False

    def _use(self) -> None:
        with self.engine.create_state("x") as other:
            other.append("y")
        assert self.engine.stats().num_states
        assert genlib.generate_token(self.state, max_tokens=2, seed=7).token_ids == self.whole
        self.state.truncate(len(self.prompt))


def live(engine: genlib.Engine, until: Callable[[], bool]) -> None:
    """Calls of all kinds, with answers that never change."""
    state = engine.create_state(PROMPT)
    prompt, whole = state.tokens, ids(engine, max_tokens=6, seed=1)
    search = BeamSearch(state, num_beams=3, max_length=5, stop_sequences=("x",))
    best = engine.run(search).token_ids
    while not until():
        assert genlib.generate_token(state, max_tokens=6, seed=1).token_ids == whole
        state.truncate(len(prompt))
        assert engine.run(search).token_ids == best
        with closing(engine.submit(GenerateToken(state, max_tokens=6), stream=True)) as stream:
            next(iter(stream))
        assert state.num_tokens == len(prompt) + 1
        state.truncate(len(prompt))
        state.fork().close()


def enough(guest: Guest, seconds: float) -> Callable[[], bool]:
    """Whether it has met both outcomes, and for a while."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end and len(guest.outcomes) == 2


@pytest.fixture
def engine() -> Iterator[genlib.Engine]:
    with genlib.Engine(threads=1, kv_memory=1 << 24) as engine:
        yield engine
        wait_until_idle(engine)
        for state in engine.states():
            state.close()
        check_pages_back(engine)


def test_signal_handlers_that_use_the_engine(engine: genlib.Engine, everything: bool) -> None:
    guest = Guest(engine)
    with alarms(guest.use):
        live(engine, enough(guest, 10 if everything else 1))


def test_finalisers_that_use_the_engine(engine: genlib.Engine, everything: bool) -> None:
    """They run where the collector does: on this thread, on another that uses the engine, and on the engine's own."""
    guest = Guest(engine)

    class Cycle:
        def __init__(self) -> None:
            self.own = self

        def __del__(self) -> None:
            if not over:
                Cycle()  # the next to be collected
            guest.use()

    over: list[bool] = []
    done = enough(guest, 10 if everything else 1)
    thresholds = gc.get_threshold()
    gc.set_threshold(70)
    try:
        Cycle()
        other = threading.Thread(target=live, args=(engine, done))
        other.start()
        live(engine, done)
        other.join()
    finally:
        gc.set_threshold(*thresholds)
        over.append(True)
        gc.collect()


class Reentrant:
    """A mask that submits to the engine that asks it."""

    def __init__(self, engine: genlib.Engine, state: genlib.State) -> None:
        self.engine, self.state = engine, state

    def fill(self, words: Any) -> None:
        self.engine.submit(GenerateToken(self.state), wait=True)

    def accept(self, token_id: int) -> None: ...

    def fork(self) -> Reentrant:
        return self


def test_the_engines_thread_does_not_wait_for_itself() -> None:
    with fake_engine(max_batch=1, max_queue=1) as engine:
        state = engine.create_state(PROMPT)
        with pytest.raises(genlib.TokenMaskError) as caught:
            genlib.generate_token(state, token_mask=Reentrant(engine, engine.create_state(PROMPT)))
        assert isinstance(caught.value.__cause__, genlib.ReentrantCall)

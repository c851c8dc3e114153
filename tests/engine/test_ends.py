"""However a call's caller goes away, the call has one end, and its state is free when it is used next."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import threading
import time
from random import Random

import pytest
from support.engine import (
    PROMPT,
    FakeModel,
    check_free,
    engines,
    fake_engine,
    ids,
    slow_engines,
)

import genlib
from genlib import GenerateToken, Sampling

engine = pytest.fixture(engines)
slow = pytest.fixture(slow_engines)


def stream(state: genlib.State, **options: object):
    return genlib.generate_token(state, stream=True, **{"max_tokens": 200, "seed": 1, **options})


class TestStreams:
    @pytest.mark.parametrize("way", ["break", "close", "with", "drop", "return", "raise"])
    def test_what_was_taken_is_committed(self, slow: genlib.Engine, way: str) -> None:
        state = slow.create_state(PROMPT)
        before = state.tokens

        def take() -> None:
            pieces = stream(state)
            with pieces if way == "with" else contextlib.nullcontext():
                for i, _ in enumerate(pieces):
                    if i < 4:
                        continue
                    if way == "return":
                        return
                    if way == "raise":
                        raise KeyError
                    break
                if way == "close":
                    pieces.close()

        with contextlib.suppress(KeyError):
            take()
        check_free(state, before, 5)
        assert state.tokens[len(before) : len(before) + 5] == ids(slow, max_tokens=5, seed=1)

    def test_a_name_of_the_stream_does_not_hold_it(self, slow: genlib.Engine) -> None:
        state = slow.create_state(PROMPT)
        before, pieces = state.tokens, stream(state)
        next(pieces)
        for _ in pieces:
            break
        check_free(state, before, 2)
        assert list(pieces) == []
        assert len(pieces.result().token_ids) == 2

    @pytest.mark.parametrize("way", ["drop", "close", "aclose", "iter", "aiter"])
    def test_one_that_was_never_started(self, slow: genlib.Engine, way: str) -> None:
        state = slow.create_state(PROMPT)
        before = state.tokens
        call = genlib.aio.generate_token(state, max_tokens=200, stream=True)
        if way == "close":
            call.close()
        elif way == "aclose":
            asyncio.run(call.aclose())
        elif way in ("iter", "aiter"):
            iter(call) if way == "iter" else call.__aiter__()
        del call
        check_free(state, before, 0)

    def test_one_in_a_cycle_that_the_engines_thread_collects(self, slow: genlib.Engine) -> None:
        """A finaliser must not wait: on the engine's thread it would wait for itself."""
        collected = threading.Event()

        class Collecting(FakeModel):
            def launch(self, num_tokens: int) -> None:
                gc.collect()
                super().launch(num_tokens)

        class Holder:
            def __del__(self) -> None:
                collected.set()

        with fake_engine(Collecting(context_length=2000), pages=400) as engine:
            state, other = engine.create_state(PROMPT), engine.create_state("b")
            holder = Holder()
            holder.pieces = stream(state)
            next(holder.pieces)
            holder.itself = holder
            gc.disable()
            try:
                del holder
                assert len(genlib.generate_token(other, max_tokens=50, ignore_eos=True).token_ids) == 50
                assert collected.is_set()
            finally:
                gc.enable()
            assert state.num_tokens == len(PROMPT) + 2
            state.append("x")

    def test_result_takes_the_rest(self, engine: genlib.Engine) -> None:
        state = engine.create_state(PROMPT)
        pieces = stream(state, max_tokens=9)
        next(pieces)
        assert pieces.result().token_ids == ids(engine, max_tokens=9, seed=1)
        assert list(pieces) == []
        assert state.num_tokens == len(PROMPT) + 10

    def test_one_that_nobody_reads_holds_no_pages(self) -> None:
        """Once its last token is drawn: later calls get them."""
        with fake_engine(pages=12) as engine:
            states = [engine.create_state("a") for _ in range(2)]
            unread = [stream(state, max_tokens=70) for state in states]
            other = engine.create_state("b")
            assert len(genlib.generate_token(other, max_tokens=150, ignore_eos=True).token_ids) == 150
            assert unread[0].result().token_ids == unread[1].result().token_ids
            assert states[0].num_tokens == 72

    def test_an_unread_one_does_not_keep_a_state_from_being_closed(self, engine: genlib.Engine) -> None:
        state = engine.create_state(PROMPT)
        call = engine.submit(GenerateToken(state, max_tokens=5), stream=True)
        while not call.done:
            time.sleep(0.001)
        with pytest.raises(genlib.StateBusy):
            state.append("x")
        state.close()
        with pytest.raises(genlib.CallCancelled):
            list(call)


class TestInterrupts:
    def test_an_exception_of_a_signal_handler_cancels(self, slow: genlib.Engine) -> None:
        class Stop(Exception):
            pass

        def stop(*_: object) -> None:
            raise Stop

        state = slow.create_state(PROMPT)
        before, handler = state.tokens, signal.signal(signal.SIGALRM, stop)
        try:
            for delay in (0.001, 0.004, 0.0101, 0.02):
                for run in (
                    lambda: genlib.generate_token(state, max_tokens=900),
                    lambda: genlib.generate_multi(state, n=3, max_tokens=900),
                    lambda: slow.submit(GenerateToken(state, max_tokens=900)).result(),
                    lambda: list(stream(state, max_tokens=900)),
                ):
                    signal.setitimer(signal.ITIMER_REAL, delay)
                    with pytest.raises(Stop):
                        run()
                    assert len(genlib.generate_token(state, max_tokens=1).token_ids) == 1
                    state.truncate(len(before))
        finally:
            signal.signal(signal.SIGALRM, handler)
        check_free(state, before, 0)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # they strike in finalisers too
    def test_signals_at_any_moment_leave_all_or_nothing(self, engine: genlib.Engine) -> None:
        """Wherever in the call they strike: before it began, in its end, or behind its commit."""

        class Stop(Exception):
            pass

        def stop(*_: object) -> None:
            raise Stop

        state = engine.create_state(PROMPT)
        before, whole = state.tokens, ids(engine, max_tokens=6, seed=1)
        random = Random(1)
        handler = signal.signal(signal.SIGALRM, stop)
        outcomes = set()
        try:
            for i in range(400):
                with contextlib.suppress(Stop):
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 2e-3))
                    if i % 2:
                        genlib.generate_token(state, max_tokens=6, seed=1)
                    else:
                        list(stream(state, max_tokens=6))
                    time.sleep(1)
                outcomes.add(state.tokens[len(before) :])
                state.truncate(len(before))
        finally:
            signal.signal(signal.SIGALRM, handler)
        assert outcomes <= {(), *(whole[:n] for n in range(7))}
        assert {(), whole} <= outcomes
        check_free(state, before, 0)

    def test_a_timeout_ends_the_call(self, slow: genlib.Engine) -> None:
        state = slow.create_state(PROMPT)
        before = state.tokens
        for run in (
            lambda: genlib.generate_token(state, max_tokens=900, timeout=0.02),
            lambda: genlib.generate_multi(state, n=2, max_tokens=900, timeout=0.02),
            lambda: genlib.beam_search(state, max_length=900, timeout=0.02),
            lambda: list(stream(state, max_tokens=900, timeout=0.02)),
            lambda: asyncio.run(asyncio.wait_for(genlib.aio.generate_token(state, max_tokens=900, timeout=0.02), 60)),
        ):
            with pytest.raises(genlib.CallTimeout):
                run()
            assert state.tokens == before
        check_free(state, before, 0)

    def test_a_wait_that_ends_does_not_end_the_call(self, slow: genlib.Engine) -> None:
        state = slow.create_state(PROMPT)
        call = slow.submit(GenerateToken(state, max_tokens=30, sampling=Sampling(seed=1)))
        with pytest.raises(TimeoutError, match="still running"):
            call.result(timeout=0.005)
        assert len(call.result().token_ids) == 30

    @pytest.mark.parametrize("value", [0, -1, float("nan"), "1", True, 1e10, 1e300])
    def test_timeouts_that_are_refused(self, engine: genlib.Engine, value: object) -> None:
        with pytest.raises(genlib.InvalidRequest, match="timeout"):
            genlib.generate_token(engine.create_state("a"), timeout=value)

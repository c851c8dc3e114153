"""How an engine ends: closed, collected, or by an error of its own."""

from __future__ import annotations

import gc
import time

import pytest
from support.engine import (
    PROMPT,
    FakeModel,
    SlowModel,
    engines,
    fake_engine,
    wait_until_idle,
)

import genlib
from genlib import GenerateToken

engine = pytest.fixture(engines)


class TestEngines:
    def test_one_that_nobody_has_is_collected(self) -> None:
        model = FakeModel()
        engine = fake_engine(model)
        genlib.generate_token(engine.create_state(PROMPT), max_tokens=3)
        with pytest.warns(ResourceWarning, match="was not closed"):  # noqa: PT031 (it comes with either)
            del engine
            gc.collect()
        end = time.monotonic() + 30
        while not model.closed and time.monotonic() < end:
            time.sleep(0.001)
        assert model.closed

    def test_a_waiting_caller_keeps_it(self) -> None:
        model = SlowModel(context_length=2000)
        engine = fake_engine(model, pages=400)
        call = engine.submit(GenerateToken(engine.create_state(PROMPT), max_tokens=50))
        del engine
        gc.collect()
        assert len(call.result().token_ids) == 50
        with pytest.warns(ResourceWarning):  # noqa: PT031
            del call
            gc.collect()

    def test_a_closed_one_refuses(self) -> None:
        engine = fake_engine()
        state = engine.create_state(PROMPT)
        engine.close()
        with pytest.raises(genlib.EngineClosed):
            engine.create_state("a")
        with pytest.raises(genlib.EngineClosed):
            genlib.generate_token(state)
        assert "closed" in repr(engine)
        assert state.id in repr(state)

    def test_a_thread_that_ends_fails_every_call(self, caplog: pytest.LogCaptureFixture) -> None:
        engine = fake_engine(SlowModel(context_length=2000), pages=400)
        calls = [engine.submit(GenerateToken(engine.create_state("a"), max_tokens=900)) for _ in range(3)]
        engine.scheduler.plan = lambda: 1 / 0
        for call in calls:
            with pytest.raises(genlib.EngineFailed, match="division by zero"):
                call.result()
        with pytest.raises(genlib.EngineFailed):
            genlib.generate_token(engine.create_state("a"))
        engine.close()

    def test_a_mask_that_calls_its_engine(self, engine: genlib.Engine) -> None:
        class Calling:
            def fill(self, words: object) -> None:
                genlib.generate_token(state)

            def accept(self, token_id: int) -> None: ...

            def fork(self) -> Calling:
                return self

        state = engine.create_state(PROMPT)
        with pytest.raises(genlib.TokenMaskError, match="must not use the engine"):
            genlib.generate_token(state, token_mask=Calling())
        wait_until_idle(engine)

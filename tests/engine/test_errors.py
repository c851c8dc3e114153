"""Calls that are refused, cancelled or fail, over a model without weights: nothing of them is left."""

from __future__ import annotations

import threading
import time

import pytest
from support.engine import BOS, PROMPT, FakeModel, check_pages_back, engines, fake_engine

import genlib
from genlib import GenerateToken, Sampling

engine = pytest.fixture(engines)


class TestErrors:
    def test_a_second_writer_is_refused_and_readers_are_not(self):
        gate = threading.Semaphore(0)
        with fake_engine(FakeModel(gate=gate)) as engine:
            state = engine.create_state(PROMPT)
            call = engine.submit(GenerateToken(state, max_tokens=3, sampling=Sampling(seed=1)))
            for write in (lambda: genlib.generate_token(state), lambda: state.append("x"), state.close):
                with pytest.raises(genlib.StateBusy):
                    write()
            with pytest.raises(genlib.StateBusy):
                state.truncate(1)
            assert state.text == state.fork().text == PROMPT
            gate.release(1000)
            assert len(call.result().token_ids) == 3
            assert state.num_tokens == 1 + len(PROMPT) + 3

    def test_cancel_gives_everything_back(self):
        gate = threading.Semaphore(0)
        with fake_engine(FakeModel(gate=gate)) as engine:
            state = engine.create_state(PROMPT)
            calls = [
                engine.submit(GenerateToken(state, max_tokens=3)),
                engine.submit(genlib.GenerateMulti(state, max_tokens=9, n=4)),
                engine.submit(genlib.BeamSearch(state, num_beams=3, keep_states=True)),
                engine.score(state, "text"),
            ]
            gate.release(3)
            for call in calls:
                call.cancel()
            gate.release(1000)
            for call in calls:
                with pytest.raises(genlib.CallCancelled):
                    call.result()
            assert state.text == PROMPT
            check_pages_back(engine)

    def test_a_broken_step_fails_its_calls_alone(self):
        model = FakeModel()
        with fake_engine(model) as engine:
            state = engine.create_state(PROMPT)
            model.broken = RuntimeError("no luck")
            with pytest.raises(genlib.ModelError, match="no luck"):
                genlib.generate_token(state)
            model.broken = None
            assert state.text == PROMPT
            genlib.generate_token(state)
            state.close()
            check_pages_back(engine)

    def test_a_bad_row_fails_its_call(self):
        model = FakeModel()
        model.bad_row = 0
        with fake_engine(model) as engine:
            state = engine.create_state(PROMPT)
            with pytest.raises(genlib.ModelError, match="no finite logit"):
                genlib.generate_token(state)
            assert state.text == PROMPT

    def test_closing_the_engine_fails_what_runs(self):
        gate = threading.Semaphore(0)
        model = FakeModel(gate=gate)
        engine = fake_engine(model)
        state = engine.create_state(PROMPT)
        call = engine.submit(GenerateToken(state))
        threading.Timer(0.05, gate.release, (1000,)).start()
        engine.close()
        engine.close()
        with pytest.raises(genlib.EngineClosed):
            call.result()
        with pytest.raises(genlib.EngineClosed):
            genlib.generate_token(state)
        assert model.closed

    def test_the_queue_is_bounded(self):
        gate = threading.Semaphore(0)
        with fake_engine(FakeModel(gate=gate), max_batch=1, max_queue=2) as engine:
            states = [engine.create_state(PROMPT) for _ in range(5)]
            calls = [engine.submit(GenerateToken(states[0]))]
            while engine.stats().running == 0:
                time.sleep(0.001)
            calls += [engine.submit(GenerateToken(s)) for s in states[1:3]]
            with pytest.raises(genlib.QueueFull):
                engine.submit(GenerateToken(states[3]))
            states[3].append("still free")
            gate.release(1000)
            for call in calls:
                call.result()

    def test_limits_are_checked_before_a_call_starts(self, engine):
        state = engine.create_state(tokens=[65] * 250)
        with pytest.raises(genlib.ContextLengthExceeded, match="`max_tokens` must be at most 6"):
            genlib.generate_token(state, max_tokens=7)
        with pytest.raises(genlib.ContextLengthExceeded):
            state.append("1234567")
        with pytest.raises(genlib.OutOfCapacity, match="pages"):
            genlib.generate_multi(state, n=60, max_tokens=6, keep_states=True)
        with pytest.raises(genlib.InvalidRequest, match="num_beams"):
            genlib.beam_search(state, num_beams=65, max_length=2)
        assert state.num_tokens == 250
        assert genlib.generate_token(state, max_tokens=6).token_ids
        with pytest.raises(genlib.ContextLengthExceeded):
            engine.create_state(tokens=[65] * 257)

    def test_an_empty_prompt_needs_a_bos(self, engine):
        assert engine.create_state("").tokens == (BOS,)
        with fake_engine(prefix=()) as bare, pytest.raises(genlib.InvalidRequest, match="BOS"):
            bare.create_state("")

    def test_a_closed_state_is_gone(self, engine):
        state = engine.create_state(PROMPT)
        state.close()
        state.close()
        with pytest.raises(genlib.StateNotFound):
            engine.state(state.id)
        with pytest.raises(genlib.StateNotFound):
            genlib.generate_token(state)

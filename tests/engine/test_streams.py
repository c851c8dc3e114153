"""What a stream commits, and where texts end, over a model without weights."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import pytest
from support.engine import EOS, PROMPT, FakeModel, engines, fake_engine, ids, wait_until_idle

import genlib
from genlib import GenerateToken
from genlib.calls.channel import Channel

engine = pytest.fixture(engines)


class TestStreams:
    def test_pieces_add_up_to_the_result(self, engine):
        state = engine.create_state(PROMPT)
        pieces = list(genlib.generate_token(state, max_tokens=9, seed=1, stream=True))
        assert [p.token_ids[0] for p in pieces] == list(ids(engine, max_tokens=9, seed=1))
        assert state.text == PROMPT + "".join(p.text for p in pieces)

    def test_a_consumer_that_breaks_commits_what_it_took(self, engine):
        state = engine.create_state(PROMPT)
        taken = []
        for piece in genlib.generate_token(state, max_tokens=60, seed=1, stream=True):
            taken.append(piece.text)
            if len(taken) == 3:
                break
        assert state.text == PROMPT + "".join(taken)
        rest = genlib.generate_token(state, max_tokens=5, seed=1).token_ids
        assert rest == ids(engine, max_tokens=8, seed=1)[3:]

    def test_what_was_taken_of_a_stream_that_had_ended_is_its_result(self, engine):
        state = engine.create_state(PROMPT)
        call = engine.submit(GenerateToken(state, max_tokens=9), stream=True)
        pieces = iter(call)
        taken = next(pieces)
        while not call.done:
            time.sleep(0.001)
        pieces.close()
        assert (call.result().token_ids, call.result().text) == (taken.token_ids, taken.text)
        assert state.text == PROMPT + taken.text

    def test_a_stream_nobody_took_commits_nothing(self, engine):
        state = engine.create_state(PROMPT)
        stream = engine.submit(GenerateToken(state, max_tokens=5), stream=True)
        while not stream.done:
            time.sleep(0.001)
        with pytest.raises(genlib.StateBusy):
            state.append("x")
        stream.cancel()
        wait_until_idle(engine)
        assert state.text == PROMPT
        state.append("x")

    def test_coroutines(self, engine):
        async def run() -> list[str]:
            state = engine.create_state(PROMPT)
            pieces = [p.text async for p in genlib.aio.generate_token(state, max_tokens=9, seed=1, stream=True)]
            results = await asyncio.gather(
                *(genlib.aio.generate_multi(state, n=2, max_tokens=3, seed=i) for i in range(5))
            )
            assert len(results) == 5
            assert (await genlib.aio.beam_search(state, num_beams=2, max_length=3)).beams
            return pieces

        assert "".join(asyncio.run(run())) == bytes(ids(engine, max_tokens=9, seed=1)).decode()


class TestEnds:
    def test_end_of_text_is_in_the_state_and_not_shown(self):
        with fake_engine(FakeModel(eos_every=6)) as engine:
            state = engine.create_state(PROMPT)
            result = genlib.generate_token(state, max_tokens=200, seed=1)
            assert result.finished
            assert result.finish_reason == "end_of_text"
            assert EOS not in result.token_ids
            assert len(result.probabilities) == len(result.new_tokens) == len(result.token_ids)
            assert state.tokens[-1] == EOS
            assert state.finished
            again = genlib.generate_token(state)
            assert (again.token_ids, again.finish_reason) == ((), "end_of_text")
            assert all(c.finished for c in genlib.generate_multi(state, n=2, keep_states=True).continuations)
            assert genlib.beam_search(state, num_beams=2).finished == (True, True)
            state.append("go on")
            assert not state.finished

    def test_min_tokens_and_ignore_eos(self):
        with fake_engine(FakeModel(eos_every=2)) as engine:
            state = engine.create_state(PROMPT)
            assert len(genlib.generate_token(state, max_tokens=50, ignore_eos=True).token_ids) == 50
            fork = state.fork()
            result = genlib.generate_token(fork, max_tokens=50, min_tokens=20, seed=3)
            assert len(result.token_ids) >= 20
            assert result.finish_reason == "end_of_text"

    def test_stop_sequences_across_tokens_and_calls(self, engine):
        whole = bytes(ids(engine, max_tokens=30, seed=2)).decode()
        stop = whole[10:14]
        first = whole.index(stop) + 4
        state = engine.create_state(PROMPT, stop_sequences=[stop])
        result = genlib.generate_token(state, max_tokens=30, seed=2)
        assert (result.text, result.finish_reason, result.stop_sequence) == (whole[:first], "stop_sequence", stop)
        assert not state.finished
        split = engine.create_state(PROMPT, stop_sequences=[stop])
        genlib.generate_token(split, max_tokens=first - 2, seed=2)
        result = genlib.generate_token(split, max_tokens=30, seed=2)
        assert result.text == whole[first - 2 : first]
        assert genlib.generate_token(split, max_tokens=5, seed=2, stop_sequences=[]).text == whole[first : first + 5]


@pytest.mark.parametrize("way", ["for", "async for", "multi"])
def test_results_go_without_the_garbage_collector(way: str) -> None:
    """They can be large, and a collection of them would hold up all threads."""

    async def read(call: Any) -> None:
        async for _ in call:
            pass

    def count() -> int:
        return sum(type(thing) is Channel for thing in gc.get_objects())

    with fake_engine() as engine:
        gc.collect()
        gc.disable()
        try:
            before = count()
            for _ in range(10):
                with engine.create_state(PROMPT) as state:
                    if way == "multi":
                        genlib.generate_multi(state, n=3, max_tokens=4)
                        continue
                    call = engine.submit(GenerateToken(state, max_tokens=4), stream=True)
                    asyncio.run(read(call)) if way == "async for" else list(call)
                    assert call.result().token_ids
                    del call
            assert count() - before <= 2, "those of the last step"
        finally:
            gc.enable()

"""Calls of many sequences beside others: they share the rows and the pages, and answer as they do alone."""

from __future__ import annotations

import pytest
from support.turns import by_hand, finish, run_dry, turn

import genlib
from genlib import GenerateMulti, GenerateToken, Sampling
from genlib.calls.requests import ScoreMany


def many(state: genlib.State, n: int, length: int, **options: object) -> GenerateMulti:
    return GenerateMulti(state, n=n, max_tokens=length, sampling=Sampling(seed=5), ignore_eos=True, **options)


def texts(result: genlib.MultiResult) -> list[tuple[int, ...]]:
    return [one.token_ids for one in result]


def test_a_small_call_does_not_wait_for_a_large_one() -> None:
    with by_hand(pages=500, max_batch=4, prefill_chunk=64) as engine:
        large = engine.submit(many(engine.create_state("a"), 200, 5))
        for _ in range(3):
            turn(engine)
        small = engine.submit(GenerateToken(engine.create_state("b"), max_tokens=5))
        for _ in range(12):
            turn(engine)
        assert small.done
        assert not large.done
        run_dry(engine)
        got = texts(large.result())
    with by_hand(pages=500, max_batch=200) as alone:
        assert got == texts(finish(alone, alone.submit(many(alone.create_state("a"), 200, 5))))


def test_two_large_calls_run_side_by_side() -> None:
    with by_hand(pages=500, max_batch=8, prefill_chunk=64) as engine:
        calls = [engine.submit(many(engine.create_state(letter), 40, 5)) for letter in "ab"]
        for _ in range(60):
            turn(engine)
            if engine.stats().running == 2:
                break
        assert engine.stats().running == 2
        run_dry(engine)
        assert [len(call.result()) for call in calls] == [40, 40]


@pytest.mark.parametrize("pages", [6, 9, 30])
def test_as_many_continuations_run_as_there_are_pages_for(pages: int) -> None:
    """Not all that the batch has rows for: one is enough to begin."""
    with by_hand(pages=pages, max_batch=32) as engine, by_hand(pages=2000, max_batch=32) as alone:
        request = many(engine.create_state("abc" * 10), 20, 30)
        got = texts(finish(engine, engine.submit(request)))
        assert got == texts(finish(alone, alone.submit(many(alone.create_state("abc" * 10), 20, 30))))
        assert engine.stats().pages_free == pages or engine.states()


def test_texts_to_score_share_the_rows_too() -> None:
    with by_hand(pages=40, max_batch=2) as engine:
        state = engine.create_state("abc")
        long = ScoreMany(state, tuple(tuple(range(97, 97 + n)) for n in (1, 40, 2, 30, 3, 20)))
        call = engine.submit(long)
        turn(engine)
        small = engine.submit(GenerateToken(engine.create_state("b"), max_tokens=2, ignore_eos=True))
        run_dry(engine)
        assert [len(one.token_ids) for one in call.result()] == [1, 40, 2, 30, 3, 20]
        assert small.result().token_ids

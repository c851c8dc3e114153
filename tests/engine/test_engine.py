"""The engine over a model without weights: batching, commits, pages."""

from __future__ import annotations

import threading
import time

import pytest
from support.engine import BOS, PROMPT, FakeModel, engines, fake_engine, ids

import genlib
from genlib import GenerateToken, Sampling
from genlib.sampling.seeds import splitmix64
from genlib.text import automaton

engine = pytest.fixture(engines)


def test_one_call_of_40_is_40_calls_of_one(engine):
    whole = ids(engine, max_tokens=40, seed=5)
    state = engine.create_state(PROMPT)
    parts = [genlib.generate_token(state, max_tokens=1, seed=5).token_ids[0] for _ in range(40)]
    assert tuple(parts) == whole
    assert state.tokens == (BOS, *PROMPT.encode(), *whole)


@pytest.mark.parametrize("chunk", [1, 7, 512])
def test_chunks_and_company_change_nothing(chunk):
    with fake_engine() as alone:
        expected = [ids(alone, PROMPT[: 5 + i], max_tokens=10 + i, seed=i) for i in range(16)]
    with fake_engine(prefill_chunk=chunk, max_batch=16, pages=200) as engine:
        states = [engine.create_state(PROMPT[: 5 + i]) for i in range(16)]
        calls = [
            engine.submit(GenerateToken(s, max_tokens=10 + i, sampling=Sampling(seed=i))) for i, s in enumerate(states)
        ]
        assert [c.result().token_ids for c in calls] == expected


def test_dropped_pages_are_rebuilt(engine):
    state = engine.create_state(PROMPT)
    first = genlib.generate_token(state, max_tokens=20, seed=1).token_ids
    with engine.lock:
        engine.cache.drop_all()
    # Others use the pages in between, so that nothing of the state's is left to be found.
    for i in range(10):
        ids(engine, f"{i} " * 40, max_tokens=100, seed=2)
    second = genlib.generate_token(state, max_tokens=20, seed=1).token_ids
    assert first + second == ids(engine, max_tokens=40, seed=1)


def test_multi_begins_with_what_token_gives_and_leaves_the_state_alone(engine):
    state = engine.create_state(PROMPT)
    before = state.tokens
    four = genlib.generate_multi(state, n=4, max_tokens=12, seed=9).continuations
    sixteen = genlib.generate_multi(state, n=16, max_tokens=12, seed=9).continuations
    assert state.tokens == before
    assert [c.token_ids for c in four] == [c.token_ids for c in sixteen[:4]]
    assert len({c.token_ids for c in sixteen}) == 16
    assert four[0].token_ids == ids(engine, max_tokens=12, seed=9)


def test_kept_continuations_go_on_as_a_longer_multi_would(engine):
    state = engine.create_state(PROMPT)
    twenty = genlib.generate_multi(state, n=3, max_tokens=20, seed=4).continuations
    ten = genlib.generate_multi(state, n=3, max_tokens=10, seed=4, keep_states=True).continuations
    for i, (short, long) in enumerate(zip(ten, twenty, strict=True)):
        assert short.state is not None
        assert short.state.stream == (splitmix64(0, i) if i else 0)
        rest = genlib.generate_token(short.state, max_tokens=10, seed=4).token_ids
        assert short.token_ids + rest == long.token_ids


def test_multi_prefills_its_prompt_once():
    model = FakeModel()
    with fake_engine(model) as engine:
        state = engine.create_state(PROMPT)
        genlib.generate_multi(state, n=8, max_tokens=4, seed=0)
        num_tokens = state.num_tokens
    assert sum(n for n, _ in model.steps) == num_tokens - 1 + 8 * 4


def test_more_continuations_than_the_batch_run_in_waves():
    with fake_engine(max_batch=4) as few, fake_engine(max_batch=32) as many:
        a = genlib.generate_multi(few.create_state(PROMPT), n=11, max_tokens=5, seed=3)
        b = genlib.generate_multi(many.create_state(PROMPT), n=11, max_tokens=5, seed=3)
    assert [c.token_ids for c in a.continuations] == [c.token_ids for c in b.continuations]


def test_a_fork_shares_pages_and_goes_its_own_way(engine):
    state = engine.create_state(PROMPT)
    genlib.generate_token(state, max_tokens=3, seed=1)
    used = engine.stats().pages_free
    fork = state.fork()
    assert engine.stats().pages_free == used
    a = genlib.generate_token(state, max_tokens=30, seed=1).token_ids
    b = genlib.generate_token(fork, max_tokens=30, seed=1).token_ids
    c = genlib.generate_token(state.fork(), max_tokens=5, seed=2).token_ids
    assert a == b
    assert c == genlib.generate_token(fork, max_tokens=5, seed=2).token_ids


def test_append_and_truncate(engine):
    state = engine.create_state("abc")
    genlib.generate_token(state, max_tokens=4, seed=1)
    state.append(" more")
    assert state.text.startswith("abc")
    assert state.text.endswith(" more")
    after = genlib.generate_token(state, max_tokens=6, seed=1).token_ids
    state.truncate(state.num_tokens - 6)
    assert genlib.generate_token(state, max_tokens=6, seed=1).token_ids == after
    state.truncate(1)
    assert state.tokens == (BOS,)


def test_score_is_what_drawing_reports(engine):
    state = engine.create_state(PROMPT)
    score = state.score("some text " * 12)
    assert len(score.logprobs) == len(score.token_ids) == 120
    assert score.total == pytest.approx(sum(score.logprobs))
    assert state.text == PROMPT


def test_a_search_that_waits_for_pages_costs_its_neighbours_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stop sequences are compiled once, by its caller; not at each try to start it."""
    built = []
    build = automaton.build
    monkeypatch.setattr(automaton, "build", lambda *args: built.append(threading.current_thread().name) or build(*args))
    with fake_engine(FakeModel(context_length=600), pages=44) as engine:
        long = engine.submit(GenerateToken(engine.create_state("a"), max_tokens=550, ignore_eos=True))
        while not engine.stats().running:
            time.sleep(0.001)
        search = genlib.BeamSearch(engine.create_state("b"), num_beams=2, max_length=40, stop_sequences=("zz" * 4000,))
        waiting = engine.submit(search)
        assert len(long.result().token_ids) == 550
        assert len(waiting.result().beams) == 2
    assert built == [threading.current_thread().name]

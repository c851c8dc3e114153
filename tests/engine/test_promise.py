"""A seed is a promise: with real weights, bit for bit, under any load, cut, eviction, fork, width and thread count."""

from __future__ import annotations

import itertools

import pytest
from support.checkpoints import make_checkpoint

import genlib
from genlib import BeamSearch, GenerateMulti, GenerateToken, Sampling

PROMPT = "Once upon a time, a small fox wanted to see the sea. The quick brown fox jumps over the lazy dog."
OPTIONS = {"temperature": 0.8, "top_p": 0.95, "seed": 11}
Drawn = tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]


def drawn(result: genlib.TokenResult) -> Drawn:
    """All that a call drew, probabilities included: they show a bit that no token does."""
    return result.token_ids, result.probabilities, result.logprobs


def joined(results: list[genlib.TokenResult]) -> Drawn:
    parts = list(zip(*map(drawn, results), strict=True))
    return tuple(tuple(itertools.chain(*p)) for p in parts)  # type: ignore[return-value]


@pytest.fixture(scope="module", params=["embedded", "float32"])
def model(request, tmp_path_factory):
    if request.param == "embedded":
        return None
    folder = tmp_path_factory.mktemp("checkpoint")
    make_checkpoint(folder, "qwen3", max_position_embeddings=1024)
    return folder


@pytest.fixture(scope="module")
def alone(model) -> Drawn:
    """What every other way of asking must give: 40 tokens in one call of an engine with one thread."""
    with genlib.Engine(model, threads=1) as engine:
        return drawn(genlib.generate_token(engine.create_state(PROMPT), max_tokens=40, ignore_eos=True, **OPTIONS))


def test_40_calls_of_one_token(model, alone):
    with genlib.Engine(model, threads=1) as engine:
        state = engine.create_state(PROMPT)
        results = [genlib.generate_token(state, max_tokens=1, ignore_eos=True, **OPTIONS) for _ in range(40)]
    assert joined(results) == alone


@pytest.mark.parametrize(("chunk", "threads"), [(1, 1), (7, 2), (512, 3)])
def test_among_fifteen_others(model, alone, chunk, threads):
    with genlib.Engine(model, threads=threads, prefill_chunk=chunk, max_batch=16) as engine:
        others = [
            engine.submit(
                GenerateToken(
                    engine.create_state(PROMPT[i:] * (1 + i % 3)),
                    max_tokens=5 + 7 * i,
                    sampling=Sampling(temperature=i / 7, top_p=1 - i / 20, top_k=5 * (i % 3), seed=i),
                )
            )
            for i in range(1, 16)
        ]
        state = engine.create_state(PROMPT)
        assert drawn(genlib.generate_token(state, max_tokens=40, ignore_eos=True, **OPTIONS)) == alone
        for call in others:
            call.result()


def test_after_the_pages_were_dropped_and_used_by_others(model, alone):
    with genlib.Engine(model, threads=1, kv_memory=64 * page_bytes(model)) as engine:
        state = engine.create_state(PROMPT)
        first = genlib.generate_token(state, max_tokens=17, ignore_eos=True, **OPTIONS)
        with engine.lock:
            engine.cache.drop_all()
        for i in range(4):
            with engine.create_state(f"{i}" * 200) as other:
                genlib.generate_token(other, max_tokens=300, ignore_eos=True)
        second = genlib.generate_token(state, max_tokens=23, ignore_eos=True, **OPTIONS)
    assert joined([first, second]) == alone


def page_bytes(model) -> int:
    with genlib.Engine(model, threads=1) as engine:
        return engine._model.page_bytes


def test_forks_and_continuations(model, alone):
    with genlib.Engine(model, threads=2) as engine:
        state = engine.create_state(PROMPT)
        first = genlib.generate_token(state, max_tokens=9, ignore_eos=True, **OPTIONS)
        fork = state.fork()
        rest = genlib.generate_token(fork, max_tokens=31, ignore_eos=True, **OPTIONS)
        assert joined([first, rest]) == alone
        state.truncate(len(engine.tokenizer.prefix_ids) + len(engine.tokenize(PROMPT)))
        four, sixteen = (
            engine.submit(
                GenerateMulti(state, max_tokens=40, sampling=Sampling(0.8, 0.95, seed=11), ignore_eos=True, n=n)
            ).result()
            for n in (4, 16)
        )
        assert drawn(four.continuations[0]) == alone
        assert [drawn(c) for c in four.continuations] == [drawn(c) for c in sixteen.continuations[:4]]


def another(engine: genlib.Engine, i: int) -> GenerateToken | GenerateMulti | BeamSearch:
    """A call of any kind."""
    state = engine.create_state(PROMPT[i:])
    if i % 5 == 1:
        return BeamSearch(state, num_beams=2 + i % 3, max_length=5 + i, stop_sequences=("e",) * (i % 2))
    if i % 5 == 3:
        return GenerateMulti(state, max_tokens=20, sampling=Sampling(0.9, seed=i), n=3)
    return GenerateToken(state, max_tokens=30, sampling=Sampling(seed=i))


def test_beams_do_not_depend_on_company(model):
    with genlib.Engine(model, threads=1) as engine:
        expected = genlib.beam_search(engine.create_state(PROMPT), num_beams=4, max_length=12)
    with genlib.Engine(model, threads=2, prefill_chunk=16, max_batch=32) as engine:
        calls = [engine.submit(another(engine, i)) for i in range(15)]
        found = genlib.beam_search(engine.create_state(PROMPT), num_beams=4, max_length=12)
        for call in calls:
            call.result()
    assert (found.token_ids, found.scores) == (expected.token_ids, expected.scores)


def test_beams_as_states_go_on_without_prefilling(model):
    with genlib.Engine(model, threads=1) as engine:
        state = engine.create_state(PROMPT)
        found = genlib.beam_search(state, num_beams=3, max_length=10, keep_states=True)
        for kept, ids in zip(found.states, found.token_ids, strict=True):
            assert kept.tokens == state.tokens + ids
            fresh = engine.create_state(tokens=list(kept.tokens), namespace="nothing to find here")
            before = engine.stats().prompt_tokens
            ended = kept.finished
            a = genlib.generate_token(kept, max_tokens=6, **OPTIONS)
            assert engine.stats().prompt_tokens == before
            b = genlib.generate_token(fresh, max_tokens=6, **OPTIONS)
            assert drawn(a) == (((), (), ()) if ended else drawn(b))


def test_ten_thousand_states_come_and_go():
    with genlib.Engine(threads=1, kv_memory=1 << 24) as engine:
        for i in range(10_000):
            state = engine.create_state("Once upon a time")
            if i % 100 == 0:
                genlib.generate_token(state, max_tokens=2)
            state.close()
        assert engine.states() == []
        stats = engine.stats()
        assert (stats.num_states, stats.pages_free) == (0, stats.pages_total)

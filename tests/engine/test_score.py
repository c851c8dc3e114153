"""Scores of many texts: those of each alone, in steps that they share, from pages that they share."""

from __future__ import annotations

from typing import Any

import pytest
from support.engine import BOS, PROMPT, FakeModel, check_pages_back, engines, fake_engine, wait_until_idle

import genlib

fake = pytest.fixture(engines)
TEXTS = [" jumps", " jumps over the lazy dog", "x", "x" * 40, " 🦊é", " jumps"]


def test_each_is_scored_as_if_alone(engine: genlib.Engine) -> None:
    state = engine.create_state("The quick brown fox")
    scores = state.score(TEXTS)
    for one, text in zip(scores, TEXTS, strict=True):
        assert one == state.score(text)
        assert one.logprobs == engine.create_state("The quick brown fox").score(text).logprobs
        assert "".join(one.tokens) == text
        assert len(one.tokens) == len(one.token_ids) == len(one.logprobs)
        assert (one.total, one.mean) == (sum(one.logprobs), sum(one.logprobs) / len(one.logprobs))
    assert state.text == "The quick brown fox"


def test_greedy_is_what_temperature_0_generates(engine: genlib.Engine) -> None:
    state = engine.create_state("Once upon a time")
    greedy = genlib.generate_multi(state, max_tokens=10, temperature=0, ignore_eos=True).continuations[0]
    assert state.tokenize(greedy.text) == greedy.token_ids
    first = greedy.new_tokens[0]
    found = state.score([greedy.text, first, greedy.text + " zebra", "zebra", first + "zebra"])
    assert [one.is_greedy for one in found] == [True, True, False, False, False]


@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("chunk", [2, 512])
def test_batches_and_chunks_change_nothing(batch: int, chunk: int) -> None:
    with fake_engine() as engine:
        expected = [engine.create_state(PROMPT).score(text).logprobs for text in TEXTS]
    with fake_engine(FakeModel(), max_batch=batch, prefill_chunk=chunk) as engine:
        state = engine.create_state(PROMPT)
        for _ in range(2):
            assert [one.logprobs for one in state.score(TEXTS)] == expected
        wait_until_idle(engine)
        state.close()
        check_pages_back(engine)


def test_the_prefix_is_computed_once() -> None:
    model = FakeModel(context_length=600)
    with fake_engine(model, pages=200) as engine:
        state = engine.create_state("word " * 100)
        state.score(list("abcdefgh"))
        fed = sum(tokens for tokens, _ in model.steps)
        assert fed == state.num_tokens - 1 + 8
        assert max(sequences for _, sequences in model.steps) == 8
        state.score("again")
        assert sum(tokens for tokens, _ in model.steps) == fed + 5


def test_a_state_of_one_token_and_one_that_has_ended() -> None:
    with fake_engine(FakeModel(eos_every=2)) as engine:
        state = engine.create_state(tokens=[BOS])
        assert [len(one.logprobs) for one in state.score(["a", "bc"])] == [1, 2]
        assert genlib.generate_token(state, max_tokens=100).finish_reason == "end_of_text"
        assert len(state.score(["a", "bc"])) == 2


@pytest.mark.parametrize(
    ("texts", "param"),
    [([], "texts"), (["a", ""], "texts[1]"), (["a", 5], "texts[1]"), (["\ud800"], "texts[0]"), (5, "texts"),
     (["a", "b" * 300, "c" * 400], "texts[2]"), ("", "text"), ("b" * 300, "text")],
)  # fmt: skip
def test_what_it_refuses(fake: genlib.Engine, texts: Any, param: str) -> None:
    with pytest.raises(genlib.InvalidRequest) as caught:
        fake.create_state(PROMPT).score(texts)
    assert caught.value.param == param


def test_requests_of_token_ids(fake: genlib.Engine) -> None:
    state = fake.create_state(PROMPT)
    call = fake.submit(genlib.ScoreMany(state, ((0xE2, 0x82), (97, 0xC3))))
    assert [one.tokens for one in call.result()] == [("", "\ufffd"), ("a", "\ufffd")]
    with pytest.raises(genlib.InvalidRequest, match=r"`texts\[1\]\[0\]`"):
        fake.submit(genlib.ScoreMany(state, ((1,), (260,))))

"""A grammar of llguidance as a token mask: the model answers in JSON that parses, alone, in company, call by call."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import fill_next_token_bitmask

import genlib

PROMPT = "Once upon a time there was a fox. Its data:"
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2, "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 99},
        "friends": {"type": "array", "items": {"enum": ["hen", "owl", "dog"]}, "minItems": 1, "maxItems": 3},
    },
    "required": ["name", "age", "friends"],
    "additionalProperties": False,
}


class Guide:
    """A grammar of llguidance as a token mask."""

    def __init__(self, matcher: LLMatcher) -> None:
        self.matcher = matcher

    def fill(self, words: np.ndarray) -> None:
        fill_next_token_bitmask(self.matcher, words[None])

    def accept(self, token_id: int) -> None:
        if not self.matcher.consume_token(token_id):
            raise ValueError(self.matcher.get_error())

    def fork(self) -> Guide:
        return Guide(self.matcher.deep_copy())


@pytest.fixture
def state(engine):
    return engine.create_state(PROMPT)


@pytest.fixture(scope="module")
def guide(engine):
    file = Path(genlib.__file__).parent / "default_model" / "tokenizer.json"
    tokenizer = LLTokenizer(file.read_text(), n_vocab=engine.vocab_size, eos_token=min(engine.eos_ids))
    return Guide(
        LLMatcher(tokenizer, LLMatcher.grammar_from_json_schema(SCHEMA, overrides={"whitespace_flexible": False}))
    )


def check_fox(text: str) -> None:
    fox = json.loads(text)
    assert 2 <= len(fox["name"]) <= 12
    assert 0 <= fox["age"] <= 99
    assert set(fox["friends"]) <= {"hen", "owl", "dog"}


def test_the_model_answers_in_json(engine, state, guide):
    result = genlib.generate_token(state, max_tokens=200, seed=5, temperature=1.1, token_mask=guide.fork())
    assert result.finish_reason == "end_of_text"
    check_fox(result.text)
    again = genlib.generate_token(
        engine.create_state(PROMPT), max_tokens=200, seed=5, temperature=1.1, token_mask=guide.fork()
    )
    assert again.token_ids == result.token_ids


def test_continuations_each_have_a_grammar_of_their_own(state, guide):
    options = {"max_tokens": 200, "seed": 5, "temperature": 1.1}
    many = genlib.generate_multi(state, n=3, token_mask=guide, **options).continuations
    assert len({c.text for c in many}) == 3
    for c in many:
        check_fox(c.text)
    assert genlib.generate_multi(state, n=3, token_mask=guide, **options).continuations == many
    assert genlib.generate_token(state, token_mask=guide.fork(), **options).token_ids == many[0].token_ids


def test_a_guide_goes_on_from_call_to_call(engine, state, guide):
    whole = genlib.generate_multi(state, max_tokens=200, seed=8, token_mask=guide).continuations[0]
    going, tokens = guide.fork(), []
    while not state.finished:
        tokens += genlib.generate_token(state, max_tokens=1, seed=8, token_mask=going).token_ids
    assert tuple(tokens) == whole.token_ids
    assert going.matcher.is_stopped()


def test_masks_among_others(guide):
    with genlib.Engine(threads=2, max_batch=4, prefill_chunk=16) as engine:
        state = engine.create_state(PROMPT)
        options = {"max_tokens": 200, "seed": 5, "temperature": 1.1, "token_mask": guide}
        requests = [genlib.GenerateToken(engine.create_state(PROMPT * i), max_tokens=30 * i) for i in range(1, 4)]
        others = [engine.submit(request) for request in requests]
        found = genlib.generate_multi(state, n=6, **options).continuations
        for call in others:
            call.result()
        assert found == genlib.generate_multi(state, n=6, **options).continuations
        for c in found:
            check_fox(c.text)

"""The three calls' arguments and results, with the embedded model."""

from __future__ import annotations

import dataclasses
import math

import pytest

import genlib
from genlib import aio

NAN = float("nan")
BAD_TOKEN = [
    ("max_tokens", [0, -1, 1.5, True, "4"]),
    ("temperature", [-0.1, 1e-7, 1.1e4, NAN, math.inf, True, "1", None]),
    ("top_p", [0, -1, 1.3, NAN, True, None]),
    ("top_k", [-1, 0.5, True, None]),
    ("min_p", [-0.1, 1.1, NAN, None]),
    ("seed", [-1, 2**64, 1.0, True, "7"]),
    ("stop_sequences", ["abc", 5, [""], [3], [None], ["\ud800"], ["x"] * 65]),
    ("min_tokens", [-1, 17, True, None]),
    ("ignore_eos", [0, "no", None]),
    ("include_stop", [0, "no", None]),
    ("probability", ["raw", None]),
    ("repetition_penalty", [0, -1, 0.009, 101, float("nan"), True, "1", None]),
    ("presence_penalty", [-100.1, 101, float("inf"), "0", None, False]),
    ("frequency_penalty", [-100.1, 101, float("nan"), None]),
    ("logit_bias", [[], 5, "5", {"5": 1}, {-1: 1}, {4096: 1}, {5: 101}, {5: float("nan")}, {5: "1"}, {True: 1}]),
    ("logit_bias", [dict.fromkeys(range(1025), 1.0), {1.0: 1}, {5: None}, {10**30: 1}]),
    ("allowed_tokens", [[], 5, "56", [-1], [4096], [5, None], [True], [1.0], {5}]),
    ("top_logprobs", [-1, 65, True, None, 1.0]),
    ("token_mask", [5, print, object, genlib.TokenMask]),
]
BAD_MULTI = [("n", [0, -2, True, 1.0, None]), ("keep_states", [1, None])]
BAD_BEAM = [
    ("num_beams", [0, 65, True, None]),
    ("max_length", [0, None, 1.0]),
    ("early_stopping", ["always", 1, None]),
    ("length_penalty", [NAN, math.inf, "1", True, None]),
    ("num_return", [0, 5, True]),
    ("stop_sequences", [[""]]),
    ("keep_states", [0]),
]


def cases(table):
    return [pytest.param(name, value, id=f"{name}={value!r}"[:40]) for name, values in table for value in values]


@pytest.fixture
def state(engine):
    with engine.create_state("The quick brown fox") as state:
        before = state.tokens
        yield state
        assert state.tokens == before


def refused(call, state, name, value):
    with pytest.raises(genlib.InvalidRequest) as caught:
        call(state, **{name: value})
    assert caught.value.param is not None
    assert caught.value.param.startswith(name)
    assert f"`{caught.value.param}`" in str(caught.value)
    assert caught.value.status == 400


@pytest.mark.parametrize(("name", "value"), cases(BAD_TOKEN))
def test_generate_token_refuses(state, name, value):
    refused(genlib.generate_token, state, name, value)
    refused(aio.generate_token, state, name, value)


@pytest.mark.parametrize(("name", "value"), cases(BAD_TOKEN + BAD_MULTI))
def test_generate_multi_refuses(state, name, value):
    refused(genlib.generate_multi, state, name, value)
    refused(aio.generate_multi, state, name, value)


@pytest.mark.parametrize(("name", "value"), cases(BAD_BEAM))
def test_beam_search_refuses(state, name, value):
    refused(genlib.beam_search, state, name, value)
    refused(aio.beam_search, state, name, value)


def test_unknown_arguments_are_refused(state):
    for call in (genlib.generate_token, genlib.generate_multi, genlib.beam_search, aio.generate_token):
        with pytest.raises(TypeError, match="tempreature"):
            call(state, tempreature=1.0)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({}, "prompt"),
        ({"prompt": "a", "tokens": [1]}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": "\udfff"}, "prompt"),
        ({"tokens": []}, "tokens"),
        ({"tokens": "abc"}, "tokens"),
        ({"tokens": [0, -1]}, "tokens[1]"),
        ({"tokens": [10**6]}, "tokens[0]"),
        ({"tokens": [1.0]}, "tokens[0]"),
        ({"prompt": "a", "stop_sequences": [""]}, "stop_sequences[0]"),
        ({"prompt": "a", "namespace": None}, "namespace"),
        ({"prompt": "word " * 2000}, "prompt"),
        ({"tokens": [5] * 1025}, "tokens"),
    ],
)
def test_create_state_refuses(engine, options, param):
    before = len(engine.states())
    with pytest.raises(genlib.InvalidRequest) as caught:
        engine.create_state(**options)
    assert caught.value.param == param
    assert len(engine.states()) == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_batch", 0),
        ("prefill_chunk", -1),
        ("max_queue", 1.5),
        ("threads", 0),
        ("kv_memory", 1),
        ("dtype", "int8"),
        ("batch_invariant", 1),
        ("batch_invariant", False),
        ("state_dir", "states"),
        ("on_progress", 5),
    ],
)
def test_engine_refuses(option, value):
    with pytest.raises(genlib.InvalidRequest, match=f"`{option}`"):
        genlib.Engine(**{option: value})


def test_devices_that_are_not_there():
    with pytest.raises(genlib.BackendError, match="`device`"):
        genlib.Engine(device="cuda")


def test_checkpoints_that_are_not_there(tmp_path):
    with pytest.raises(genlib.CheckpointError, match=r"config\.json"):
        genlib.Engine(tmp_path)


def test_results_hang_together(engine):
    state = engine.create_state("Once upon a time")
    result = genlib.generate_token(state, max_tokens=30, temperature=0.7)
    assert result.text == "".join(result.new_tokens)
    assert len(result.new_tokens) == len(result.token_ids) == len(result.probabilities) == len(result.logprobs)
    assert all(
        0 < p <= 1 and p == pytest.approx(math.exp(q), rel=1e-5)
        for p, q in zip(result.probabilities, result.logprobs, strict=True)
    )
    assert 0 <= result.seed < 2**53
    assert state.text == "Once upon a time" + result.text
    again = engine.create_state("Once upon a time")
    assert genlib.generate_token(again, max_tokens=30, temperature=0.7, seed=result.seed) == dataclasses.replace(
        result, state_id=again.id
    )


def test_sampling_probabilities_are_those_drawn_from(state):
    options = {"n": 1, "max_tokens": 8, "seed": 3, "top_k": 2}
    model = genlib.generate_multi(state, **options).continuations[0]
    drawn = genlib.generate_multi(state, **options, probability="sampling").continuations[0]
    assert model.token_ids == drawn.token_ids
    assert all(d >= m for d, m in zip(drawn.probabilities, model.probabilities, strict=True))
    assert max(drawn.probabilities) > max(model.probabilities)
    greedy = genlib.generate_multi(state, n=1, max_tokens=8, temperature=0, probability="sampling")
    assert set(greedy.continuations[0].probabilities) == {1.0}


def test_scores_are_the_probabilities_that_drawing_reports(engine):
    state = engine.create_state("Once upon a time")
    greedy = genlib.generate_multi(state, max_tokens=12, temperature=0).continuations[0]
    assert state.tokenize(greedy.text) == greedy.token_ids
    assert state.score(greedy.text).logprobs == greedy.logprobs


def test_emoji_are_whole_however_their_bytes_are_drawn(engine):
    """A state that ends in half a code point, continued by known tokens."""
    ids = engine.tokenize("🦊")
    assert len(ids) > 1
    state = engine.create_state(tokens=[0, *ids[:1]])
    assert state.text == ""
    state = engine.create_state(tokens=[0, *ids])
    assert state.text == "🦊"
    cut = engine.create_state(tokens=[0, *ids[:1]])
    cut.append("!")
    assert cut.text == "\N{REPLACEMENT CHARACTER}!"


def test_control_tokens_are_not_read_from_text(engine):
    state = engine.create_state("<|end|>")
    assert not set(state.tokens[1:]) & (engine.eos_ids | {0})
    assert state.text == "<|end|>"


def test_a_prompt_as_long_as_the_context(engine):
    state = engine.create_state(tokens=[300] * 1024)
    with pytest.raises(genlib.ContextLengthExceeded, match="fills the context"):
        genlib.generate_token(state, max_tokens=1)
    state.truncate(1023)
    assert len(genlib.generate_token(state, max_tokens=1, ignore_eos=True).token_ids) == 1

"""`max_tokens=None`: until the text ends, or the context is full."""

from __future__ import annotations

import pytest
from support.engine import PROMPT, FakeModel, engines, fake_engine, wait_until_idle

import genlib

engine = pytest.fixture(engines)


def test_none_is_what_the_context_has_left(engine: genlib.Engine) -> None:
    state, given = (engine.create_state(PROMPT) for _ in range(2))
    left = engine.context_length - state.num_tokens
    result = genlib.generate_token(state, max_tokens=None, seed=3)
    assert (len(result.token_ids), result.finished, result.finish_reason) == (left, False, None)
    assert result.token_ids == genlib.generate_token(given, max_tokens=left, seed=3).token_ids
    assert state.num_tokens == engine.context_length
    with pytest.raises(genlib.ContextLengthExceeded, match="fills the context") as caught:
        genlib.generate_token(state, max_tokens=None)
    assert caught.value.param == "max_tokens"


@pytest.mark.parametrize("keep", [False, True])
def test_continuations_too(keep: bool) -> None:
    with fake_engine(FakeModel(eos_every=40)) as engine:
        state = engine.create_state(PROMPT)
        options = {"n": 3, "seed": 5, "keep_states": keep}
        found = genlib.generate_multi(state, max_tokens=None, **options)
        expected = genlib.generate_multi(state, max_tokens=256 - state.num_tokens, **options)
        assert [c.token_ids for c in found] == [c.token_ids for c in expected]
        assert any(c.finish_reason == "end_of_text" for c in found)


def test_a_stop_sequence_ends_it_and_a_stream_is_the_same(engine: genlib.Engine) -> None:
    state = engine.create_state(PROMPT)
    whole = genlib.generate_multi(state, max_tokens=None, seed=2).continuations[0]
    stop = whole.text[20:23]
    stream = genlib.generate_token(state, max_tokens=None, seed=2, stop_sequences=[stop], stream=True)
    assert "".join(piece.text for piece in stream) == whole.text[: whole.text.index(stop) + 3]
    assert stream.result().stop_sequence == stop


def test_min_tokens_must_fit_as_well(engine: genlib.Engine) -> None:
    state = engine.create_state(PROMPT)
    left = engine.context_length - state.num_tokens
    with pytest.raises(genlib.ContextLengthExceeded, match=f"`min_tokens` must be at most {left}"):
        genlib.generate_token(state, max_tokens=None, min_tokens=left + 1)
    assert len(genlib.generate_token(state, max_tokens=None, min_tokens=left).token_ids) == left


@pytest.mark.parametrize("call", [genlib.generate_token, genlib.generate_multi])
def test_a_pool_that_could_never_hold_it_refuses(call) -> None:
    """Rather than to give fewer tokens. Seventeen pages are those of the context and one to copy."""
    with fake_engine(pages=12) as engine:
        state = engine.create_state(PROMPT)
        with pytest.raises(genlib.OutOfCapacity, match="give a number as `max_tokens`, or raise `kv_memory`") as caught:
            call(state, max_tokens=None)
        assert caught.value.param == "max_tokens"
        assert call(state, max_tokens=20, seed=1)


def test_what_has_begun_is_not_interrupted() -> None:
    """Two that each reserve all but a few pages run one after another."""
    with fake_engine(FakeModel(), pages=20) as engine:
        states = [engine.create_state(PROMPT) for _ in range(2)]
        calls = [engine.submit(genlib.GenerateToken(state, max_tokens=None)) for state in states]
        assert {len(call.result().token_ids) for call in calls} == {256 - 1 - len(PROMPT)}
        wait_until_idle(engine)


def test_an_ended_state_answers_as_ever() -> None:
    with fake_engine(FakeModel(eos_every=2)) as engine:
        state = engine.create_state(PROMPT)
        assert genlib.generate_token(state, max_tokens=None).finish_reason == "end_of_text"
        assert genlib.generate_token(state, max_tokens=None).token_ids == ()

"""What calls answer at the edges: ended states, half code points, stop sequences before `min_tokens`, penalties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.engine import EOS, PROMPT, FakeModel, engines, fake_engine

import genlib
from genlib.calls.requests import LENGTH_NORMS
from genlib.text.stops import StopMatcher

engine = pytest.fixture(engines)


class Spelling(FakeModel):
    """Draws the tokens it is given, one after another."""

    def __init__(self, tokens: list[int]) -> None:
        super().__init__()
        self.left = tokens

    def _row(self, r: int, context: bytes) -> None:
        super()._row(r, context)
        self.buffers.output.token[r] = self.left.pop(0)


def ended_state(engine: genlib.Engine, prompt: str = PROMPT) -> genlib.State:
    """A state that an end of text has ended."""
    state = engine.create_state(prompt)
    assert genlib.generate_token(state, max_tokens=200).finished
    return state


@pytest.mark.parametrize(
    ("call", "options", "param"),
    [
        (genlib.generate_token, {"logit_bias": {10**6: 1.0}}, "logit_bias"),
        (genlib.generate_token, {"allowed_tokens": [10**6]}, "allowed_tokens"),
        (genlib.generate_token, {"allowed_tokens": [EOS], "ignore_eos": True}, "allowed_tokens"),
        (genlib.generate_multi, {"allowed_tokens": [5, 10**6], "keep_states": True}, "allowed_tokens"),
        (genlib.beam_search, {"num_beams": 300, "keep_states": True}, "num_beams"),
    ],
)
def test_an_ended_state_skips_no_check(call, options, param) -> None:
    with fake_engine(FakeModel(eos_every=3)) as engine:
        state = ended_state(engine)
        before = len(engine.states())
        with pytest.raises(genlib.InvalidRequest, match=param):
            call(state, **options)
        assert len(engine.states()) == before
        assert genlib.generate_token(state, max_tokens=10**6).finished  # but for the context, since it adds nothing


@pytest.mark.parametrize("streams", [False, True])
def test_half_a_code_point_and_then_the_end(streams: bool) -> None:
    """The state, the pieces and the answer show the same."""
    with fake_engine(Spelling([0xE2, 0x82, EOS])) as engine:
        state = engine.create_state("a")
        first = genlib.generate_token(state, max_tokens=2)
        assert (first.text, first.new_tokens, state.text) == ("", ("", ""), "a")
        if streams:
            stream = genlib.generate_token(state, max_tokens=2, stream=True)
            assert [(piece.text, piece.new_tokens) for piece in stream] == [("\ufffd", ())]
            last = stream.result()
        else:
            last = genlib.generate_token(state, max_tokens=2)
        assert (last.text, last.new_tokens, last.finish_reason) == ("\ufffd", (), "end_of_text")
        assert state.text == "a\ufffd"


def test_half_a_code_point_and_the_end_in_one_call() -> None:
    with fake_engine(Spelling([0x41, 0xE2, EOS])) as engine:
        state = engine.create_state("a")
        result = genlib.generate_token(state, max_tokens=5)
        assert (result.text, result.new_tokens) == ("A\ufffd", ("A", "\ufffd"))
        assert state.text == "aA\ufffd"


def test_a_match_that_is_not_heeded_consumes_nothing() -> None:
    """ "aa" ends with the second and with the third token; only the third counts."""
    with fake_engine(Spelling([0x61, 0x61, 0x61, 0x62])) as engine:
        state = engine.create_state("x")
        result = genlib.generate_token(state, max_tokens=4, min_tokens=3, stop_sequences=["aa"])
        assert (result.text, result.stop_sequence) == ("aaa", "aa")


@given(
    st.lists(st.text("ab", max_size=3), max_size=8), st.integers(0, 8), st.lists(st.text("ab", min_size=1, max_size=3))
)
def test_matches_that_are_not_heeded_leave_no_trace(pieces: list[str], unheeded: int, stops: list[str]) -> None:
    """Feeding pieces unheeded is the same as having had them before."""
    fed = StopMatcher(stops)
    for piece in pieces[:unheeded]:
        assert fed.feed(piece.encode(), heeded=False) is None
    had = StopMatcher(stops, "".join(pieces[:unheeded]).encode())
    for piece in pieces[unheeded:]:
        assert fed.feed(piece.encode()) == had.feed(piece.encode())
        assert (fed.match_end, fed.tail) == (had.match_end, had.tail)


@pytest.mark.parametrize("penalty", [-1.3, -1, 0, 1, 2, 9.9])
def test_a_penalty_that_is_taken_gives_all_beams_their_scores(penalty: float) -> None:
    with fake_engine(pages=100) as engine:
        state = engine.create_state(PROMPT)
        result = genlib.beam_search(state, num_beams=4, max_length=200, length_penalty=penalty)
    assert len(result.beams) == 4
    assert all(score < 0 for score in result.scores)
    assert list(result.scores) == sorted(result.scores, reverse=True)


@pytest.mark.parametrize("penalty", [-8, 50, -1e300, 1e300])
def test_a_penalty_beyond_what_scores_hold_is_refused(engine: genlib.Engine, penalty: float) -> None:
    assert LENGTH_NORMS == (-4, 30)
    with pytest.raises(genlib.InvalidRequest, match=r"`length_penalty` must be from -1\.738 to 13\.04"):
        genlib.beam_search(engine.create_state("a"), max_length=200, length_penalty=penalty)

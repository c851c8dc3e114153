"""Texts with and without the stop sequence: the same tokens, and streams that never show what they would take back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.engine import EOS, PROMPT, FakeModel, engines, fake_engine

import genlib
from genlib.calls.requests import GenerateToken
from genlib.calls.results import Piece, TokenResult
from genlib.jobs.continuation import Continuation
from genlib.sampling.token import SampledToken
from genlib.states.record import Generated, Record

engine = pytest.fixture(engines)

PIECES = [b"a", b"b", b"ab", b"bca", b"", b"\xc3", b"\xa9", b"\xc3\xa9a", b"\xe2\x82", b"\xac", b"c\xe2"]
END = len(PIECES)
TOKENS = st.lists(st.integers(0, END), max_size=10)
STOPS = st.lists(st.text("abcé€", min_size=1, max_size=4), min_size=1, max_size=3)


class PieceTokenizer:
    """Token i is PIECES[i]; the one after them ends a text."""

    def token_bytes(self, token: int) -> bytes:
        return PIECES[token] if token < END else b""


def run(earlier: list[int], drawn: list[int], **options: Any) -> tuple[TokenResult, list[Piece]]:
    """The result of a call that draws some tokens, after a call that drew others; and its pieces, each made as soon as
    the stream shows it."""
    record = Record.given([0], (), 0)
    record.generate(Generated([token for token in earlier if token != END], False, None), 1)
    request = GenerateToken(None, max_tokens=max(len(drawn), 2), **options)  # type: ignore[arg-type]
    c = Continuation(request, record, PieceTokenizer(), frozenset({END}), 0, request.max_tokens or 0, streams=True)
    pieces: list[Piece] = []
    for token in drawn:
        c.accept(SampledToken(token, 0.5, -0.7, 0.5))
        pieces += [c.piece("state", i) for i in range(len(pieces), c.spell())]
        if c.ended:
            break
    else:
        c.ended = True  # as max_tokens would
        pieces += [c.piece("state", i) for i in range(len(pieces), c.spell())]
    return c.result("state"), pieces


@given(TOKENS, TOKENS, STOPS, st.integers(0, 2))
def test_the_text_ends_where_the_stop_sequence_begins(
    earlier: list[int], drawn: list[int], stops: list[str], min_tokens: int
) -> None:
    options = {"stop_sequences": tuple(stops), "min_tokens": min_tokens}
    shown, shown_pieces = run(earlier, drawn, **options)
    cut, pieces = run(earlier, drawn, include_stop=False, **options)
    for result, its in ((shown, shown_pieces), (cut, pieces)):
        assert "".join(piece.text for piece in its) == result.text
        assert result.text == "".join(result.new_tokens) or not result.new_tokens
        assert tuple(token for piece in its for token in piece.token_ids) == result.token_ids
        ends = [piece for piece in its if piece.stop_start is not None]
        assert ends == ([] if result.stop_start is None else its[-1:])
    assert (cut.token_ids, cut.stop_sequence, cut.stop_start) == (
        shown.token_ids,
        shown.stop_sequence,
        shown.stop_start,
    )
    assert cut.text == shown.text[: shown.stop_start]
    if shown.stop_start:  # it begins in this call
        assert shown.text.startswith(shown.stop_sequence or "", shown.stop_start)
        last = shown_pieces[-1]
        assert last.stop_start == max(0, shown.stop_start - len(shown.text) + len(last.text))
    assert (shown.stop_start is None) == (shown.stop_sequence is None)


@pytest.fixture
def whole(engine: genlib.Engine) -> str:
    with engine.create_state(PROMPT) as state:
        return genlib.generate_token(state, max_tokens=40, seed=2).text


@pytest.mark.parametrize("own", [False, True])
def test_the_state_is_the_same_either_way(engine: genlib.Engine, whole: str, own: bool) -> None:
    stop = whole[10:14]
    options: dict[str, Any] = {"max_tokens": 40, "seed": 2} | ({} if own else {"stop_sequences": [stop]})
    a, b = (engine.create_state(PROMPT, stop_sequences=[stop] if own else ()) for _ in range(2))
    shown, cut = genlib.generate_token(a, **options), genlib.generate_token(b, include_stop=False, **options)
    start = whole.index(stop)
    assert (shown.text, shown.stop_start) == (whole[: start + 4], start)
    assert (cut.text, cut.stop_start) == (whole[:start], start)
    assert cut.new_tokens[-4:] == ("",) * 4
    assert (cut.token_ids, cut.logprobs, cut.finish_reason) == (shown.token_ids, shown.logprobs, "stop_sequence")
    assert a.tokens == b.tokens
    assert genlib.generate_token(a, **options).token_ids == genlib.generate_token(b, **options).token_ids


def test_one_that_an_earlier_call_began(engine: genlib.Engine, whole: str) -> None:
    stop = whole[10:14]
    first = whole.index(stop)
    state = engine.create_state(PROMPT, stop_sequences=[stop])
    genlib.generate_token(state, max_tokens=first + 2, seed=2)
    result = genlib.generate_token(state.fork(), max_tokens=30, seed=2)
    assert (result.text, result.stop_start) == (stop[2:], 0)
    result = genlib.generate_token(state, max_tokens=30, seed=2, include_stop=False)
    assert (result.text, result.new_tokens, result.stop_start) == ("", ("", ""), 0)


def test_continuations(engine: genlib.Engine) -> None:
    state = engine.create_state(PROMPT)
    options: dict[str, Any] = {"n": 4, "max_tokens": 30, "seed": 1, "stop_sequences": ["a", "e"], "keep_states": True}
    shown = genlib.generate_multi(state, **options)
    cut = genlib.generate_multi(state, include_stop=False, **options)
    for one, other in zip(shown, cut, strict=True):
        assert other.text == one.text[: one.stop_start]
        assert one.state is not None
        assert other.state is not None
        assert other.state.tokens == one.state.tokens
    assert any(one.stop_sequence for one in shown)


class Spelling(FakeModel):
    """Draws the bytes of a text, one after another."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.left = [*data, EOS]

    def _row(self, r: int, context: bytes) -> None:
        super()._row(r, context)
        self.buffers.output.token[r] = self.left.pop(0)


def test_a_stream_shows_what_only_looked_like_one() -> None:
    text = "xabaabay"
    with fake_engine(Spelling(text.encode())) as engine:
        state = engine.create_state("p")
        options: dict[str, Any] = {"max_tokens": 50, "stop_sequences": ["abac"], "include_stop": False}
        stream = genlib.generate_token(state, stream=True, **options)
        assert [piece.text for piece in stream] == list(text)
        assert (stream.result().text, stream.result().finish_reason) == (text, "end_of_text")
        assert state.text == "p" + text


def test_leaving_a_stream_commits_what_it_showed() -> None:
    with fake_engine(Spelling(b"hello stop")) as engine:
        state = engine.create_state("p")
        options: dict[str, Any] = {"max_tokens": 50, "stop_sequences": ["stop"], "include_stop": False}
        stream = genlib.generate_token(state, stream=True, **options)
        taken = "".join(next(stream).text for _ in range(6))
        stream.close()
        assert (taken, stream.result().text, state.text) == ("hello ", "hello ", "phello ")


def test_coroutines_take_it_too(engine: genlib.Engine, whole: str) -> None:
    stop = whole[5:8]

    async def texts() -> list[str]:
        state = engine.create_state(PROMPT)
        call = genlib.aio.generate_token(
            state, max_tokens=40, seed=2, stop_sequences=[stop], include_stop=False, stream=True
        )
        return [piece.text async for piece in call]

    assert "".join(asyncio.run(texts())) == whole[: whole.index(stop)]

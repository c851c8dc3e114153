"""UTF-8 in pieces, and stop sequences."""

from __future__ import annotations

import codecs
import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from genlib.text.stops import StopMatcher
from genlib.text.utf8 import Utf8Decoder, pending_tail

# Bytes at the edges of UTF-8's table, so that random strings are nearly right.
NEARLY_UTF8 = st.lists(
    st.sampled_from([b"a", b"\x80", b"\x8f", b"\x90", b"\x9f", b"\xa0", b"\xbf", b"\xc1", b"\xc2", b"\xdf", b"\xe0"])
    | st.sampled_from([b"\xe1", b"\xed", b"\xef", b"\xf0", b"\xf1", b"\xf4", b"\xf5", b"\xff"])
    | st.sampled_from(["é".encode(), "€".encode(), "🦊".encode()]),
    max_size=12,
).map(b"".join)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(NEARLY_UTF8 | st.binary(max_size=12), st.lists(st.integers(0, 100), max_size=6))
@example(b"\xf0\x9f\xa6\x8a", [1, 2, 3])
@example(b"\xed\xa0\x80", [1, 2])
def test_pieces_make_up_the_whole(data: bytes, places: list[int]) -> None:
    decoder = Utf8Decoder()
    texts = []
    for piece in cut(data, places):
        texts.append(decoder.feed(piece))
        assert len(decoder.pending) <= 3
    assert "".join(texts) + decoder.flush() == data.decode("utf-8", "replace")
    assert decoder.flush() == ""


@given(NEARLY_UTF8, st.integers(0, 100))
def test_a_decoder_goes_on_from_the_tail_alone(data: bytes, place: int) -> None:
    first, second = cut(data, [place])
    begun = Utf8Decoder()
    begun.feed(first)
    resumed = Utf8Decoder(pending_tail(first[-4:]))
    assert begun.pending == resumed.pending
    assert begun.feed(second) + begun.flush() == resumed.feed(second) + resumed.flush()


@given(NEARLY_UTF8)
def test_the_tail_is_what_codecs_would_hold(data: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    held = decoder.getstate()[0]
    if len(held) == 2 and held[0] == 0xED and held[1] >= 0xA0:
        held = b""  # half a surrogate: codecs waits for it, though no byte can make it well formed
    assert pending_tail(data) == held


def test_text_shows_as_soon_as_a_code_point_is_whole() -> None:
    decoder = Utf8Decoder()
    assert [decoder.feed(bytes([b])) for b in "é🦊".encode()] == ["", "é", "", "", "", "🦊"]
    assert decoder.feed(b"\xf0\x9f") == ""
    assert decoder.feed(b"x") == "\ufffdx"


def brute_force(stops: list[str], tail: bytes, token: bytes) -> tuple[str, int] | None:
    """All matches that end in the token, by definition; the first end, then the longest."""
    text = tail + token
    found = []
    for stop in stops:
        pattern = stop.encode()
        for end in range(len(tail) + 1, len(text) + 1):
            if text[:end].endswith(pattern):
                found.append((end - len(tail), -len(pattern), stop))
    if not found:
        return None
    end, _, stop = min(found, key=lambda f: f[:2])
    return stop, end


@given(
    st.lists(st.text("ab\né", min_size=1, max_size=4), min_size=1, max_size=4),
    st.text("ab\né", max_size=6),
    st.lists(st.text("ab\né", max_size=4), max_size=6),
    st.booleans(),
)
def test_stops_match_by_definition(stops: list[str], tail: str, tokens: list[str], split: bool) -> None:
    matcher = StopMatcher(stops, tail.encode())
    free = tail.encode()  # the bytes since the last match
    pieces = [t.encode() for t in tokens]
    if split:
        pieces = [bytes([b]) for piece in pieces for b in piece]
    for piece in pieces:
        want = brute_force(stops, free, piece)
        got = matcher.feed(piece)
        assert (None if got is None else (got, matcher.match_end)) == want
        assert want is not None or matcher.match_end == 0
        free = free + piece if want is None else piece[want[1] :]


def test_a_match_begins_behind_the_last_one_and_ends_in_the_token() -> None:
    matcher = StopMatcher(["aa"], b"xa")
    assert matcher.feed(b"") is None
    assert (matcher.feed(b"ab"), matcher.match_end) == ("aa", 1)
    assert matcher.feed(b"a") is None
    assert (matcher.feed(b"aaa"), matcher.match_end) == ("aa", 1)
    assert matcher.feed(b"b") is None  # "aa" is there, but ended in an earlier token


def test_no_stops_match_nothing_and_empty_ones_are_refused() -> None:
    assert StopMatcher([]).feed(b"abc") is None
    with pytest.raises(ValueError, match="empty"):
        StopMatcher(["a", ""])

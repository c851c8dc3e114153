"""What may begin a stop sequence, against trying every beginning."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from genlib.text.stops import Holdback

STOPS = st.lists(st.text("abé", min_size=1, max_size=5), min_size=1, max_size=4)
PIECES = st.lists(st.sampled_from([b"a", b"b", b"ab", b"ba", b"aab", b"", b"\xc3", b"\xa9", b"c"]), max_size=12)


def num_clear(stops: list[str], tail: bytes, pieces: list[bytes]) -> int:
    """How many pieces end before the longest end of it all that begins a stop sequence."""
    data = tail + b"".join(pieces)
    beginnings = (n for stop in stops for n in range(len(stop.encode())) if data.endswith(stop.encode()[:n]))
    clear = len(data) - len(tail) - max(beginnings)
    return sum(len(b"".join(pieces[: i + 1])) <= clear for i in range(len(pieces)))


@given(STOPS, PIECES, PIECES)
def test_held_back_is_what_may_begin_a_stop_sequence(
    stops: list[str], before: list[bytes], pieces: list[bytes]
) -> None:
    tail = b"".join(before)
    held, shown = Holdback(stops, tail), 0
    for i, piece in enumerate(pieces, 1):
        held.feed(piece)
        assert held.num_clear == num_clear(stops, tail, pieces[:i])
        assert held.num_clear >= shown
        shown = held.num_clear


def test_the_longest_stop_sequence_that_is_taken() -> None:
    size = 1 << 14
    held = Holdback(["a" * (size // 2) + "b" + "a" * (size // 2 - 1)])
    for _ in range(size // 2):
        held.feed(b"a")
    for _ in range(100):
        held.feed(b"ca")
    assert held.num_clear == size // 2 + 99

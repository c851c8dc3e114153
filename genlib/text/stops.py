"""Matching of stop sequences on the bytes of generated text, and which of these may be the beginning of one."""

from __future__ import annotations

from collections.abc import Sequence


class StopMatcher:
    """Finds stop sequences in the bytes of generated tokens.

    A match must end in the token being fed, and may begin at any byte after the last match: in the same token, in
    earlier ones, or in `tail`, the bytes generated before the first token fed. match_end: number of bytes of the last
    token up to the end of its match; 0 without one.
    """

    __slots__ = ("_keep", "_stops", "match_end", "tail")

    def __init__(self, stop_sequences: Sequence[str], tail: bytes = b"") -> None:
        self._stops = [(stop, stop.encode()) for stop in stop_sequences]
        if not all(pattern for _, pattern in self._stops):
            raise ValueError("a stop sequence must not be empty")
        self._keep = max((len(pattern) for _, pattern in self._stops), default=1) - 1
        self.tail = self._last(tail)
        self.match_end = 0

    def feed(self, data: bytes, *, heeded: bool = True) -> str | None:
        """The stop sequence that a token's bytes complete: the one that ends first; of several, the longest.

        A match that is not heeded counts for nothing: later ones may begin in it. None is returned.
        """
        if not heeded:
            self.tail, self.match_end = self._last(self.tail + data), 0
            return None
        tail, best = self.tail, None
        before, end, longest = len(tail), 0, 0
        text = tail + data
        for stop, pattern in self._stops:
            size = len(pattern)
            at = text.find(pattern, max(0, before + 1 - size))
            if at >= 0 and (best is None or at + size < end or (at + size == end and size > longest)):
                best, end, longest = stop, at + size, size
        self.match_end = end - before if best is not None else 0
        self.tail = self._last(text if best is None else text[end:])
        return best

    def _last(self, data: bytes) -> bytes:
        return data[max(0, len(data) - self._keep) :]


class Holdback:
    """Which tokens' bytes can be no part of a stop sequence that is still to come: a stream may show them.

    num_clear: how many of the tokens fed, from the first one on. tail: as for StopMatcher.
    """

    __slots__ = ("_beginnings", "_ends", "_size", "num_clear")

    def __init__(self, stop_sequences: Sequence[str], tail: bytes = b"") -> None:
        self._beginnings = [_Beginning(stop.encode(), tail) for stop in stop_sequences]
        self._ends: list[int] = []  # of each token's bytes
        self._size = 0
        self.num_clear = 0

    def feed(self, data: bytes) -> None:
        """Takes the bytes of the next token, which complete no stop sequence."""
        for beginning in self._beginnings:
            beginning.feed(data)
        self._size += len(data)
        self._ends.append(self._size)
        clear = self._size - max(beginning.size for beginning in self._beginnings)
        while self.num_clear < len(self._ends) and self._ends[self.num_clear] <= clear:
            self.num_clear += 1


class _Beginning:
    """The longest end of what was fed that begins a pattern but is not all of it; size: in bytes.

    By Knuth, Morris and Pratt (Fast pattern matching in strings, 1977), whose table is made as far as it is needed:
    a long pattern of which nothing is generated costs nothing.
    """

    __slots__ = ("_borders", "_pattern", "size")

    def __init__(self, pattern: bytes, tail: bytes) -> None:
        self._pattern = pattern
        self._borders = [0, 0]  # of the pattern's first n bytes: the longest beginning that is also their end
        self.size = 0
        self.feed(tail[max(0, len(tail) - len(pattern) + 1) :])

    def feed(self, data: bytes) -> None:
        pattern, size = self._pattern, self.size
        for byte in data:
            while size and pattern[size] != byte:
                size = self._border(size)
            size += pattern[size] == byte
            if size == len(pattern):
                size = self._border(size)
        self.size = size

    def _border(self, size: int) -> int:
        pattern, borders = self._pattern, self._borders
        while len(borders) <= size:
            last, border = pattern[len(borders) - 1], borders[-1]
            while border and pattern[border] != last:
                border = borders[border]
            borders.append(border + (pattern[border] == last))
        return borders[size]

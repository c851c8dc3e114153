"""Matching of stop sequences on the bytes of generated text."""

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

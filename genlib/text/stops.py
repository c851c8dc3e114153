"""Stop sequences matched on the bytes of generated text."""

from __future__ import annotations

from collections.abc import Sequence


class StopMatcher:
    """Finds stop sequences in the bytes of generated tokens.

    A match must end in a byte of the token that is fed, and may begin in any byte since the last match: in the
    same token, in those fed before, or in `tail`, which holds the bytes that were generated before the first of
    them. `match_end` is how many bytes of the last token fed belong to its match or lie before it; 0 without one.
    """

    __slots__ = ("_keep", "_stops", "match_end", "tail")

    def __init__(self, stop_sequences: Sequence[str], tail: bytes = b"") -> None:
        self._stops = [(stop, stop.encode()) for stop in stop_sequences]
        if not all(pattern for _, pattern in self._stops):
            raise ValueError("a stop sequence must not be empty")
        self._keep = max((len(pattern) for _, pattern in self._stops), default=1) - 1
        self.tail = self._last(tail)
        self.match_end = 0

    def feed(self, data: bytes) -> str | None:
        """The stop sequence that this token's bytes complete: the one that ends first, and of those the longest."""
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

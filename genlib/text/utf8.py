"""Incremental UTF-8 decoding."""

from __future__ import annotations

# By first byte: the length of the sequence, and the range of its second byte (Unicode 15, table 3-7).
_LEADS = dict.fromkeys(range(0xC2, 0xE0), (2, 0x80, 0xBF))
_LEADS |= dict.fromkeys(range(0xE1, 0xF0), (3, 0x80, 0xBF)) | {0xE0: (3, 0xA0, 0xBF), 0xED: (3, 0x80, 0x9F)}
_LEADS |= dict.fromkeys(range(0xF1, 0xF4), (4, 0x80, 0xBF)) | {0xF0: (4, 0x90, 0xBF), 0xF4: (4, 0x80, 0x8F)}


def pending_tail(data: bytes) -> bytes:
    """The incomplete code point at the end of `data`: 0 to 3 bytes."""
    for size in range(1, min(3, len(data)) + 1):
        lead = data[-size]
        if not 0x80 <= lead <= 0xBF:
            length, low, high = _LEADS.get(lead, (1, 0, 0))
            whole = size >= length or (size > 1 and not low <= data[1 - size] <= high)
            return b"" if whole else data[-size:]
    return b""


class Utf8Decoder:
    """Decodes bytes to text, token by token.

    However the data is split, the texts of all calls of `feed` and a final `flush` concatenate to
    data.decode("utf-8", "replace"): each maximal part of a malformed sequence becomes one U+FFFD. pending: the bytes so
    far of an incomplete code point, at most 3.
    """

    __slots__ = ("pending",)

    def __init__(self, pending: bytes = b"") -> None:
        self.pending = pending

    def feed(self, data: bytes) -> str:
        """The text that these bytes complete."""
        if not self.pending and data.isascii():
            return data.decode("ascii")
        data = self.pending + data
        self.pending = pending_tail(data)
        return data[: len(data) - len(self.pending)].decode("utf-8", "replace")

    def flush(self) -> str:
        """U+FFFD if a code point is incomplete, else ""; nothing is pending afterwards."""
        text = "\N{REPLACEMENT CHARACTER}" if self.pending else ""
        self.pending = b""
        return text

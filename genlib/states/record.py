"""The truth of a state: its tokens and the spans of them that were generated. Plain data, changed by `Store` alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..text.tokenizer import Tokenizer
from ..text.utf8 import Utf8Decoder, pending_tail


@dataclass(slots=True)
class Segment:
    """Tokens from `start` to the next segment's start: text that was given, or text that was generated."""

    start: int
    generated: bool


class Generated(NamedTuple):
    """What a call adds to a record.

    finished: whether an end of text, the last of the tokens, ended the text. match_end: bytes of the last token that
    belong to the stop sequence that ended the call, None if none did.
    """

    token_ids: Sequence[int]
    finished: bool
    match_end: int | None


@dataclass(slots=True)
class Record:
    """The truth of a state.

    matches: ends of the stop sequences that ended calls, each as (index of a token, bytes of that token that
    belong to the match); a later match must begin behind the last of them.
    version grows with every change, so that a cache knows what it was made of.
    """

    tokens: list[int]
    segments: list[Segment]
    stop_sequences: tuple[str, ...] = ()
    namespace: int = 0
    random_stream: int = 0
    created_at: float = 0.0
    finished: bool = False
    matches: list[tuple[int, int]] = field(default_factory=list)
    version: int = 0

    @classmethod
    def given(cls, tokens: list[int], stop_sequences: tuple[str, ...], namespace: int) -> Record:
        """Of a new state, whose tokens were all given."""
        segments = [Segment(start=0, generated=False)]
        return cls(tokens=tokens, segments=segments, stop_sequences=stop_sequences, namespace=namespace)

    def copy(self) -> Record:
        """An independent record with the same contents."""
        return replace(
            self,
            tokens=self.tokens.copy(),
            segments=[replace(segment) for segment in self.segments],
            matches=self.matches.copy(),
        )

    def generate(self, new: Generated) -> None:
        """Adds generated tokens; nothing changes if there are none."""
        if not new.token_ids:
            return
        if not self.segments[-1].generated:
            self.segments.append(Segment(start=len(self.tokens), generated=True))
        self.tokens += new.token_ids
        self.finished = new.finished
        if new.match_end is not None:
            self.matches.append((len(self.tokens) - 1, new.match_end))
        self.version += 1

    def append(self, token_ids: Sequence[int]) -> None:
        """Adds tokens of a text that was given, and reopens the state."""
        self.segments.append(Segment(start=len(self.tokens), generated=False))
        self.tokens += token_ids
        self.finished = False
        self.version += 1

    def truncate(self, num_tokens: int) -> None:
        """Keeps the first tokens, and reopens the state if that drops any."""
        if num_tokens == len(self.tokens):
            return
        del self.tokens[num_tokens:]
        self.segments = [s for s in self.segments if s.start < num_tokens] or [Segment(start=0, generated=False)]
        self.matches = [m for m in self.matches if m[0] < num_tokens]
        self.finished = False
        self.version += 1

    def generated_spans(self) -> list[tuple[int, int]]:
        """Where generated tokens begin and end, in order."""
        ends = [s.start for s in self.segments[1:]] + [len(self.tokens)]
        return [(s.start, end) for s, end in zip(self.segments, ends, strict=True) if s.generated]

    def text(self, tokenizer: Tokenizer) -> str:
        """The whole text. A code point that a text given later cut off, or the end did, becomes U+FFFD; one
        that may still be completed is not shown yet."""
        decoder = Utf8Decoder()
        parts = []
        ends = [s.start for s in self.segments[1:]] + [len(self.tokens)]
        for segment, end in zip(self.segments, ends, strict=True):
            if not segment.generated:
                parts.append(decoder.flush())
            parts.append(decoder.feed(b"".join(map(tokenizer.token_bytes, self.tokens[segment.start : end]))))
        if self.finished:
            parts.append(decoder.flush())
        text = "".join(parts)
        return text[1:] if tokenizer.strip_leading_space and text.startswith(" ") else text

    def pending_bytes(self, tokenizer: Tokenizer) -> bytes:
        """The bytes of a code point that the next token may complete."""
        return pending_tail(self._tail(tokenizer, self._text_start(), 0, 4))

    def unmatched_tail(self, tokenizer: Tokenizer, size: int) -> bytes:
        """Up to `size` last bytes that a stop sequence's match may still begin in: generated ones, behind the
        last text that was given and behind the last match."""
        if not self.segments[-1].generated:
            return b""
        token, skip = self.matches[-1] if self.matches else (0, 0)
        start = self.segments[-1].start
        if token < start:
            token, skip = start, 0
        return self._tail(tokenizer, token, skip, size)

    def _text_start(self) -> int:
        """Where the text begins that the next token goes on: at the last text that was given."""
        return next((s.start for s in reversed(self.segments) if not s.generated), 0)

    def _tail(self, tokenizer: Tokenizer, start: int, skip: int, size: int) -> bytes:
        """The last bytes, at least `size` if there are so many, of the tokens from `start`, less `skip` bytes."""
        tail = b""
        for i in range(len(self.tokens) - 1, start - 1, -1):
            piece = tokenizer.token_bytes(self.tokens[i])
            tail = (piece[skip:] if i == start else piece) + tail
            if len(tail) >= size:
                break
        return tail

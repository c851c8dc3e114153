"""The data of a state: its tokens, and which spans of them were generated. Only `Store` changes a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..text.tokenizer import Tokenizer
from ..text.utf8 import Utf8Decoder, pending_tail


@dataclass(slots=True)
class Segment:
    """The tokens from `start` to the start of the next segment: given as text, or generated."""

    start: int
    generated: bool


class Generated(NamedTuple):
    """What a call adds to a record.

    finished: whether the last token is an end of text. match_end: number of bytes of the last token up to the end of
    the stop sequence that ended the call, or None.
    """

    token_ids: Sequence[int]
    finished: bool
    match_end: int | None


@dataclass(slots=True)
class Record:
    """The data of a state, from which everything else can be rebuilt.

    matches: where stop sequences ended calls, as (index of the token, number of its bytes up to the end of the match);
    the next match must begin after the last of them.
    version: increases with every change, so that a cache can tell whether it is current.
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
        """The record of a new state, none of whose tokens were generated."""
        segments = [Segment(start=0, generated=False)]
        return cls(tokens=tokens, segments=segments, stop_sequences=stop_sequences, namespace=namespace)

    def copy(self) -> Record:
        """An independent copy."""
        return replace(
            self,
            tokens=self.tokens.copy(),
            segments=[replace(segment) for segment in self.segments],
            matches=self.matches.copy(),
        )

    def generate(self, new: Generated, at: int) -> None:
        """Puts generated tokens behind the first `at`, which are all; nothing changes if there are none.

        Done again after it was interrupted, it gives the same record.
        """
        if not new.token_ids:
            return
        self.version += 1
        if not self.segments[-1].generated:
            self.segments.append(Segment(start=at, generated=True))
        self.tokens[at:] = new.token_ids
        self.finished = new.finished
        if new.match_end is not None and (at + len(new.token_ids) - 1, new.match_end) not in self.matches[-1:]:
            self.matches.append((len(self.tokens) - 1, new.match_end))

    def append(self, token_ids: Sequence[int]) -> None:
        """Appends the tokens of a given text, and resets `finished`."""
        self.segments.append(Segment(start=len(self.tokens), generated=False))
        self.tokens += token_ids
        self.finished = False
        self.version += 1

    def truncate(self, num_tokens: int) -> None:
        """Keeps the first tokens; if that drops any, resets `finished`."""
        if num_tokens == len(self.tokens):
            return
        del self.tokens[num_tokens:]
        self.segments = [s for s in self.segments if s.start < num_tokens] or [Segment(start=0, generated=False)]
        self.matches = [m for m in self.matches if m[0] < num_tokens]
        self.finished = False
        self.version += 1

    def generated_spans(self) -> list[tuple[int, int]]:
        """The spans of generated tokens, as (start, end), in order."""
        ends = [s.start for s in self.segments[1:]] + [len(self.tokens)]
        return [(s.start, end) for s, end in zip(self.segments, ends, strict=True) if s.generated]

    def text(self, tokenizer: Tokenizer) -> str:
        """The whole text. A code point left incomplete by an append or an end of text becomes U+FFFD; one that the next
        token may complete is not shown yet."""
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
        """The bytes of an incomplete code point at the end of the text, which the next token may complete."""
        return pending_tail(self._tail(tokenizer, self._text_start(), 0, 4))

    def unmatched_tail(self, tokenizer: Tokenizer, size: int) -> bytes:
        """The last bytes in which a match of a stop sequence may begin, at least `size` if there are that many:
        generated ones, after the last given text and after the last match."""
        if not self.segments[-1].generated:
            return b""
        token, skip = self.matches[-1] if self.matches else (0, 0)
        start = self.segments[-1].start
        if token < start:
            token, skip = start, 0
        return self._tail(tokenizer, token, skip, size)

    def _text_start(self) -> int:
        """The index of the first token of the last given text: no code point reaches across it."""
        return next((s.start for s in reversed(self.segments) if not s.generated), 0)

    def _tail(self, tokenizer: Tokenizer, start: int, skip: int, size: int) -> bytes:
        """The last bytes of the tokens from `start`, without the first `skip`: at least `size`, or all."""
        tail = b""
        for i in range(len(self.tokens) - 1, start - 1, -1):
            piece = tokenizer.token_bytes(self.tokens[i])
            tail = (piece[skip:] if i == start else piece) + tail
            if len(tail) >= size:
                break
        return tail

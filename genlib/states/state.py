"""A state: tokens, the spans of them that were generated, a stream, a namespace. Its pages are only a cache.

`Record` is the truth of one state, plain data. `State` is the handle that callers hold; the engine's lock
guards both, and a record is only ever changed by `Store`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..text.tokenizer import Tokenizer
from ..text.utf8 import Utf8Decoder, pending_tail

if TYPE_CHECKING:
    from ..calls.results import ScoreResult
    from ..engine.engine import Engine


@dataclass(slots=True)
class Segment:
    """Tokens from `start` to the next segment's start: text that was given, or text that was generated."""

    start: int
    generated: bool


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
    stream: int = 0
    created_at: float = 0.0
    finished: bool = False
    matches: list[tuple[int, int]] = field(default_factory=list)
    version: int = 0

    def copy(self) -> Record:
        """An independent record with the same contents."""
        return Record(
            self.tokens.copy(),
            [Segment(s.start, s.generated) for s in self.segments],
            self.stop_sequences,
            self.namespace,
            self.stream,
            self.created_at,
            self.finished,
            self.matches.copy(),
            self.version,
        )

    def generate(self, token_ids: Iterable[int], *, finished: bool, match_end: int | None) -> None:
        """Adds generated tokens. match_end: bytes of the last token that belong to a stop sequence's match."""
        if not self.segments or not self.segments[-1].generated:
            self.segments.append(Segment(len(self.tokens), True))
        self.tokens += token_ids
        self.finished = finished
        if match_end is not None:
            self.matches.append((len(self.tokens) - 1, match_end))
        self.version += 1

    def append(self, token_ids: Sequence[int]) -> None:
        """Adds tokens of a text that was given, and reopens the state."""
        self.segments.append(Segment(len(self.tokens), False))
        self.tokens += token_ids
        self.finished = False
        self.version += 1

    def truncate(self, num_tokens: int) -> None:
        """Keeps the first tokens, and reopens the state if that drops any."""
        if num_tokens == len(self.tokens):
            return
        del self.tokens[num_tokens:]
        self.segments = [s for s in self.segments if s.start < num_tokens] or [Segment(0, False)]
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


class State:
    """A handle of one state of an engine. Made by Engine.create_state, fork, or calls with keep_states.

    Readers see what was committed last. append, truncate and close are writers, as generate_token is: one at
    a time, a second raises StateBusy.
    """

    def __init__(self, engine: Engine, state_id: str, record: Record) -> None:
        self.id = state_id
        self._engine = engine
        self._record = record

    def __repr__(self) -> str:
        return f"<State {self.id}, {self.num_tokens} tokens>"

    def __enter__(self) -> State:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def engine(self) -> Engine:
        """The engine that owns it."""
        return self._engine

    @property
    def tokens(self) -> tuple[int, ...]:
        """All token ids, prompt included."""
        return tuple(self._engine.read(self).tokens)

    @property
    def num_tokens(self) -> int:
        """How many tokens it holds."""
        return len(self._engine.read(self).tokens)

    @property
    def text(self) -> str:
        """The whole text, prompt included."""
        with self._engine.lock:
            return self._engine.read(self).text(self._engine.tokenizer)

    @property
    def finished(self) -> bool:
        """Whether the model ended the text. Appending or truncating reopens it."""
        return self._engine.read(self).finished

    @property
    def stop_sequences(self) -> tuple[str, ...]:
        """Stop sequences of calls that name none."""
        return self._engine.read(self).stop_sequences

    @property
    def stream(self) -> int:
        """The 64-bit stream that its tokens are drawn from, beside the seed."""
        return self._engine.read(self).stream

    @property
    def created_at(self) -> float:
        """Seconds since the epoch."""
        return self._engine.read(self).created_at

    def fork(self) -> State:
        """A new state with the same tokens and stream. Pages are shared; nothing is copied."""
        return self._engine.fork(self)

    def append(self, text: str) -> None:
        """Adds a text behind the tokens. Raises StateBusy, ContextLengthExceeded, InvalidRequest."""
        self._engine.append(self, text)

    def truncate(self, num_tokens: int) -> None:
        """Keeps the first `num_tokens` tokens. Raises StateBusy, InvalidRequest."""
        self._engine.truncate(self, num_tokens)

    def tokenize(self, text: str) -> tuple[int, ...]:
        """The token ids that `append(text)` would add."""
        return self._engine.tokenize(text)

    def score(self, text: str) -> ScoreResult:
        """Log-probabilities of a text, were it to follow. The state is left as it was."""
        return self._engine.score(self, text).result()

    def close(self) -> None:
        """Forgets the state and gives its pages back. Idempotent. Raises StateBusy."""
        self._engine.close_state(self)

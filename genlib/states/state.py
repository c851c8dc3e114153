"""The handle of a state that callers hold. What it tells and what it does is its engine's."""

from __future__ import annotations

import threading
from typing import Protocol

from ..text.tokenizer import Tokenizer
from .record import Record
from .score import ScoreResult


class Scoring(Protocol):
    """A call that scores a text."""

    def result(self) -> ScoreResult: ...


class Owner(Protocol):
    """What a state asks of the engine that it belongs to."""

    tokenizer: Tokenizer

    @property
    def lock(self) -> threading.RLock: ...
    def read(self, state: State) -> Record: ...
    def fork(self, state: State) -> State: ...
    def append(self, state: State, text: str) -> None: ...
    def truncate(self, state: State, num_tokens: int) -> None: ...
    def tokenize(self, text: str) -> tuple[int, ...]: ...
    def score(self, state: State, text: str) -> Scoring: ...
    def close_state(self, state: State) -> None: ...


class State:
    """A handle of one state of an engine. Made by Engine.create_state, fork, or calls with keep_states.

    Readers see what was committed last. append, truncate and close are writers, as generate_token is: one at
    a time, a second raises StateBusy.
    """

    def __init__(self, owner: Owner, state_id: str, record: Record) -> None:
        self.id = state_id
        self._owner = owner
        self._record = record

    def __repr__(self) -> str:
        return f"<State {self.id}, {self.num_tokens} tokens>"

    def __enter__(self) -> State:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def engine(self) -> Owner:
        """The engine that owns it."""
        return self._owner

    @property
    def tokens(self) -> tuple[int, ...]:
        """All token ids, prompt included."""
        return tuple(self._owner.read(self).tokens)

    @property
    def num_tokens(self) -> int:
        """How many tokens it holds."""
        return len(self._owner.read(self).tokens)

    @property
    def text(self) -> str:
        """The whole text, prompt included."""
        with self._owner.lock:
            return self._owner.read(self).text(self._owner.tokenizer)

    @property
    def finished(self) -> bool:
        """Whether the model ended the text. Appending or truncating reopens it."""
        return self._owner.read(self).finished

    @property
    def stop_sequences(self) -> tuple[str, ...]:
        """Stop sequences of calls that name none."""
        return self._owner.read(self).stop_sequences

    @property
    def stream(self) -> int:
        """The 64-bit stream that its tokens are drawn from, beside the seed."""
        return self._owner.read(self).random_stream

    @property
    def created_at(self) -> float:
        """Seconds since the epoch."""
        return self._owner.read(self).created_at

    def fork(self) -> State:
        """A new state with the same tokens and stream. Pages are shared; nothing is copied."""
        return self._owner.fork(self)

    def append(self, text: str) -> None:
        """Adds a text behind the tokens. Raises StateBusy, ContextLengthExceeded, InvalidRequest."""
        self._owner.append(self, text)

    def truncate(self, num_tokens: int) -> None:
        """Keeps the first `num_tokens` tokens. Raises StateBusy, InvalidRequest."""
        self._owner.truncate(self, num_tokens)

    def tokenize(self, text: str) -> tuple[int, ...]:
        """The token ids that `append(text)` would add."""
        return self._owner.tokenize(text)

    def score(self, text: str) -> ScoreResult:
        """Log-probabilities of a text, were it to follow. The state is left as it was."""
        return self._owner.score(self, text).result()

    def close(self) -> None:
        """Forgets the state and gives its pages back. Idempotent. Raises StateBusy."""
        self._owner.close_state(self)

"""The handle of a state that callers hold. It delegates to the engine, which owns the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar, overload

from ..handles import Handle
from .record import Record
from .score import ScoreResult

R_co = TypeVar("R_co", covariant=True)


class Scoring(Protocol[R_co]):
    """The call of State.score."""

    def result(self) -> R_co: ...


class Owner(Protocol):
    """The engine, as a state sees it."""

    def read(self, state: State) -> Record: ...
    def text(self, state: State) -> str: ...
    def fork(self, state: State) -> State: ...
    def append(self, state: State, text: str) -> None: ...
    def truncate(self, state: State, num_tokens: int) -> None: ...
    def tokenize(self, text: str) -> tuple[int, ...]: ...
    def tokens_behind(self, state: State, text: str, param: str = "text") -> tuple[int, ...]: ...
    def score(self, state: State, text: str) -> Scoring[ScoreResult]: ...
    def score_many(self, state: State, texts: Sequence[str]) -> Scoring[tuple[ScoreResult, ...]]: ...
    def close_state(self, state: State) -> None: ...


class State(Handle):
    """A text and its KV cache in an engine. Returned by Engine.create_state, fork, and calls with keep_states.

    append, truncate, close and generate_token write: one writer at a time, a second raises StateBusy. Everything else
    reads the last committed tokens, and may run alongside a writer. Using a closed state raises StateNotFound. As a
    context manager, a state closes itself. Many threads and coroutines may use one state.
    """

    INSTEAD = "use state.fork(), or engine.create_state(tokens=state.tokens) in another engine"

    def __init__(self, owner: Owner, state_id: str, record: Record) -> None:
        self.id = state_id
        self._owner = owner
        self._record = record

    def __repr__(self) -> str:
        return f"<State {self.id}, {len(self._record.tokens)} tokens>"

    def __enter__(self) -> State:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def engine(self) -> Owner:
        """The engine that owns the state."""
        return self._owner

    @property
    def tokens(self) -> tuple[int, ...]:
        """All token ids, including the prompt."""
        return tuple(self._owner.read(self).tokens)

    @property
    def num_tokens(self) -> int:
        """Number of tokens, including the prompt."""
        return len(self._owner.read(self).tokens)

    @property
    def text(self) -> str:
        """The whole text, including the prompt. A character is shown once all its bytes are there."""
        return self._owner.text(self)

    @property
    def finished(self) -> bool:
        """Whether the model generated an end of text. Appending or truncating resets it."""
        return self._owner.read(self).finished

    @property
    def stop_sequences(self) -> tuple[str, ...]:
        """The stop sequences of calls that give none."""
        return self._owner.read(self).stop_sequences

    @property
    def stream(self) -> int:
        """The 64-bit random stream of the state: draws depend on seed, stream and position (docs/design/calls.md)."""
        return self._owner.read(self).random_stream

    @property
    def created_at(self) -> float:
        """When the state was created, in seconds since the Unix epoch."""
        return self._owner.read(self).created_at

    def fork(self) -> State:
        """Returns a new state with the same tokens and stream. Pages are shared: nothing is copied."""
        return self._owner.fork(self)

    def append(self, text: str) -> None:
        """Appends a text, in which control tokens are not recognised.

        Raises StateBusy, ContextLengthExceeded, InvalidRequest.
        """
        self._owner.append(self, text)

    def truncate(self, num_tokens: int) -> None:
        """Keeps the first `num_tokens` tokens (1 to the current number). Raises StateBusy, InvalidRequest."""
        self._owner.truncate(self, num_tokens)

    def tokenize(self, text: str) -> tuple[int, ...]:
        """The token ids that `append(text)` would add. Raises InvalidRequest."""
        return self._owner.tokenize(text)

    @overload
    def score(self, text: str) -> ScoreResult: ...  # type: ignore[overload-overlap] # a str comes first
    @overload
    def score(self, text: Sequence[str]) -> tuple[ScoreResult, ...]: ...
    def score(self, text: str | Sequence[str]) -> ScoreResult | tuple[ScoreResult, ...]:
        """Log-probabilities of a text as a continuation of the state, which is left unchanged.

        text: one, or a list of up to 65536, each scored as if it were alone: they share the steps of the engine, and
            what the state has computed. Their results come in the same order.
        Raises InvalidRequest for an empty text or list, ContextLengthExceeded, OutOfCapacity, QueueFull, ModelError,
        EngineClosed.
        """
        if isinstance(text, str):
            return self._owner.score(self, text).result()
        return self._owner.score_many(self, text).result()

    def close(self) -> None:
        """Deletes the state and frees its pages. Does nothing if it is closed already. Raises StateBusy."""
        self._owner.close_state(self)

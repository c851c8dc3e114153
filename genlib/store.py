"""All states of an engine by id, and the one place where their records change.

The engine's lock guards it. A durable store would log each change here before it answers.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

from .cache import Cache
from .continuation import Continuation
from .errors import StateBusy, StateNotFound
from .state import Record, State


class Store:
    """States, their records, and who is writing to them."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._states: dict[str, State] = {}
        self._writers: dict[str, object] = {}

    def __len__(self) -> int:
        return len(self._states)

    @staticmethod
    def new_id() -> str:
        """128 random bits."""
        return f"state-{secrets.token_hex(16)}"

    def add(self, state: State, record: Record, entry: int | None = None) -> None:
        """Registers a new state; `entry`, if given, becomes its own."""
        record.created_at = time.time()
        self._states[state.id] = state
        if entry is not None:
            self._cache.keep(state, record, entry)

    def get(self, state_id: str) -> State:
        """The state with an id. Raises StateNotFound."""
        try:
            return self._states[state_id]
        except KeyError:
            raise StateNotFound(f"no state has the id {state_id!r}: it was closed, or never made") from None

    def all(self) -> list[State]:
        """All states, oldest first."""
        return list(self._states.values())

    def is_open(self, state: State) -> bool:
        """Whether the state was not closed."""
        return self._states.get(state.id) is state

    def check_open(self, state: State) -> None:
        """Raises StateNotFound if the state was closed."""
        if not self.is_open(state):
            raise StateNotFound(f"state {state.id!r} was closed")

    def check_idle(self, state: State) -> None:
        """Raises StateNotFound or StateBusy unless the state can be written to now."""
        self.check_open(state)
        if state.id in self._writers:
            raise StateBusy(f"another call is writing to state {state.id!r}; wait for it, or fork the state")

    def lock(self, state: State, writer: object) -> None:
        """Makes `writer` the one that may commit to a state. Raises as check_idle does."""
        self.check_idle(state)
        self._writers[state.id] = writer

    def unlock(self, state: State, writer: object) -> None:
        """Lets others write again, if `writer` is the one that holds the state."""
        if self._writers.get(state.id) is writer:
            del self._writers[state.id]

    def commit(self, state: State, record: Record, continuation: Continuation, entry: int | None) -> None:
        """Adds a call's tokens to its state; `entry` holds them and becomes the state's own."""
        continuation.commit_to(record)
        if entry is not None:
            self._cache.keep(state, record, entry)

    def append(self, state: State, record: Record, token_ids: Sequence[int]) -> None:
        """Adds a given text's tokens."""
        self.check_idle(state)
        record.append(token_ids)
        self._cache.follow(state, record)

    def truncate(self, state: State, record: Record, num_tokens: int) -> None:
        """Keeps the first tokens."""
        self.check_idle(state)
        record.truncate(num_tokens)
        self._cache.follow(state, record)

    def close(self, state: State) -> None:
        """Forgets a state. Nothing happens if it was closed before."""
        if self.is_open(state):
            self.check_idle(state)
            self._cache.drop(state)
            del self._states[state.id]

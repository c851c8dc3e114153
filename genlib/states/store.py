"""All states of an engine by id, and the one place where their records change.

The engine's lock guards it. A durable store would log each change here before it answers.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

from ..errors import StateBusy, StateNotFound
from .cache import Cache
from .record import Generated, Record
from .state import Owner, State


class Store:
    """States, their records, and who is writing to them. `owner` is the engine, as their handles have it."""

    def __init__(self, owner: Owner, cache: Cache) -> None:
        self._owner = owner
        self._cache = cache
        self._states: dict[str, State] = {}
        self._writers: dict[str, object] = {}
        self._namespaces: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._states)

    def namespace(self, name: str) -> int:
        """The number of a namespace, as records have it."""
        return self._namespaces.setdefault(name, len(self._namespaces))

    def add(self, record: Record, entry: int | None = None) -> State:
        """A new state, with an id of 128 random bits; `entry`, if given, becomes its own."""
        record.created_at = time.time()
        state = State(self._owner, f"state-{secrets.token_hex(16)}", record)
        self._states[state.id] = state
        if entry is not None:
            self._cache.keep(state.id, record, entry)
        return state

    def fork(self, state: State) -> State:
        """A new state with the same tokens and stream. Raises StateNotFound."""
        record = self.read(state).copy()
        forked = self.add(record)
        self._cache.share(forked.id, state.id, record)
        return forked

    def keep(self, record: Record, new: Generated, random_stream: int, entry: int | None) -> State:
        """A new state: a record's tokens and those generated behind them, with the pages of `entry`."""
        record = record.copy()
        record.random_stream = random_stream
        record.generate(new)
        return self.add(record, entry)

    def get(self, state_id: str) -> State:
        """The state with an id. Raises StateNotFound."""
        try:
            return self._states[state_id]
        except KeyError:
            raise StateNotFound(f"no state has the id {state_id!r}: it was closed, or never made") from None

    def all(self) -> list[State]:
        """All states, oldest first."""
        return list(self._states.values())

    def read(self, state: State) -> Record:
        """The record of a state. Raises StateNotFound if it was closed."""
        if not self._is_open(state):
            raise StateNotFound(f"state {state.id!r} was closed")
        return state._record

    def _is_open(self, state: State) -> bool:
        return self._states.get(state.id) is state

    def offer(self, state: State, record: Record, entry: int) -> None:
        """A reader has computed a state's keys and values: the state may have them too."""
        if self._is_open(state) and state._record.version == record.version:
            self._cache.adopt(state.id, record, entry)

    def check_idle(self, state: State) -> None:
        """Raises StateNotFound or StateBusy unless the state can be written to now."""
        self.read(state)
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

    def commit(self, state: State, new: Generated, entry: int | None, writer: object) -> None:
        """Adds a call's tokens to its state, and lets others write; `entry` holds them and becomes the state's own."""
        record = self.read(state)
        record.generate(new)
        if entry is not None:
            self._cache.keep(state.id, record, entry)
        self.unlock(state, writer)

    def append(self, state: State, token_ids: Sequence[int]) -> None:
        """Adds a given text's tokens."""
        self.check_idle(state)
        record = self.read(state)
        record.append(token_ids)
        self._cache.follow(state.id, record)

    def truncate(self, state: State, num_tokens: int) -> None:
        """Keeps the first tokens."""
        self.check_idle(state)
        record = self.read(state)
        record.truncate(num_tokens)
        self._cache.follow(state.id, record)

    def close(self, state: State) -> None:
        """Forgets a state. Nothing happens if it was closed before."""
        if self._is_open(state):
            self.check_idle(state)
            self._cache.drop(state.id)
            del self._states[state.id]

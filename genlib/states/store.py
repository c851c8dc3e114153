"""All states of an engine by id, and the only place where their records change.

The engine's lock guards it. A durable store would log each change here before it returns.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

from ..checks import shown
from ..errors import StateBusy, StateNotFound
from .cache import Cache
from .record import Generated, Record
from .state import Owner, State


class Store:
    """The states, their records, and which call is writing to each. owner: the engine, for the handles."""

    def __init__(self, owner: Owner, cache: Cache) -> None:
        self._owner = owner
        self._cache = cache
        self._states: dict[str, State] = {}
        self._writers: dict[str, object] = {}
        self._namespaces: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._states)

    def namespace(self, name: str) -> int:
        """The number that records use for a namespace."""
        return self._namespaces.setdefault(name, len(self._namespaces))

    def add(self, record: Record, entry: int | None = None) -> State:
        """Adds a state, with an id of 128 random bits. `entry`, if given, becomes its cache."""
        record.created_at = time.time()
        state = State(self._owner, f"state-{secrets.token_hex(16)}", record)
        self._states[state.id] = state
        if entry is not None:
            self._cache.keep(state.id, record, entry)
        return state

    def fork(self, state: State) -> State:
        """Adds a state with the same tokens and stream. Raises StateNotFound."""
        record = self.read(state).copy()
        forked = self.add(record)
        self._cache.share(forked.id, state.id, record)
        return forked

    def keep(self, record: Record, new: Generated, random_stream: int, entry: int | None) -> State:
        """Adds a state with the tokens of a record, those generated after them, and the pages of `entry`."""
        record = record.copy()
        record.random_stream = random_stream
        record.generate(new, len(record.tokens))
        return self.add(record, entry)

    def get(self, state_id: str) -> State:
        """The state with an id. Raises StateNotFound."""
        try:
            return self._states[state_id]
        except KeyError:
            raise StateNotFound(f"no state has id {shown(state_id)}: it was closed or never existed") from None

    def all(self) -> list[State]:
        """All states, oldest first."""
        return list(self._states.values())

    def read(self, state: State) -> Record:
        """The record of a state. Raises StateNotFound if the state is closed."""
        if not self._is_open(state):
            raise StateNotFound(f"state {state.id!r} is closed")
        return state._record

    def _is_open(self, state: State) -> bool:
        return self._states.get(state.id) is state

    def offer(self, state: State, record: Record, entry: int) -> None:
        """Shares the pages that a reader has computed with the state, if that has not changed since."""
        if self._is_open(state) and state._record.version == record.version:
            self._cache.adopt(state.id, record, entry)

    def check_idle(self, state: State) -> None:
        """Raises StateNotFound if the state is closed, StateBusy if a call is writing to it."""
        self.read(state)
        if state.id in self._writers:
            raise StateBusy(f"another call is writing to state {state.id!r}; wait for it, or fork the state")

    def writer(self, state: State) -> object | None:
        """Who is writing to a state."""
        return self._writers.get(state.id)

    def lock(self, state: State, writer: object) -> None:
        """Makes `writer` the only one that may write to the state. Raises like check_idle."""
        self.check_idle(state)
        self._writers[state.id] = writer

    def unlock(self, state: State, writer: object) -> None:
        """Ends the lock, if it is `writer`'s."""
        if self._writers.get(state.id) is writer:
            del self._writers[state.id]

    def commit(self, state: State, new: Generated, at: int, writer: object) -> int:
        """Appends a call's tokens to its state, behind its first `at`, and unlocks it. Returns the record's version."""
        record = self.read(state)
        record.generate(new, at)
        self.unlock(state, writer)
        return record.version

    def give(self, state: State, version: int | None, entry: int) -> None:
        """Makes an entry the state's own, whose tokens begin those of this version; frees it if the state has
        changed since, or was closed, or nothing was committed (None)."""
        table, record = self._cache.table, state._record
        if version is None or not self._is_open(state) or record.version != version:
            table.free(entry)
            return
        table.unreserve(entry)
        table.truncate(entry, min(table.length(entry), len(record.tokens)))
        self._cache.keep(state.id, record, entry)

    def append(self, state: State, token_ids: Sequence[int]) -> None:
        """Appends the tokens of a given text. Raises like check_idle."""
        self.check_idle(state)
        record = self.read(state)
        record.append(token_ids)
        self._cache.follow(state.id, record)

    def truncate(self, state: State, num_tokens: int) -> None:
        """Keeps the first tokens. Raises like check_idle."""
        self.check_idle(state)
        record = self.read(state)
        record.truncate(num_tokens)
        self._cache.follow(state.id, record)

    def close(self, state: State) -> None:
        """Removes a state and frees its pages; does nothing if it is closed already. Raises StateBusy."""
        if self._is_open(state):
            self.check_idle(state)
            self._cache.drop(state.id)
            del self._states[state.id]

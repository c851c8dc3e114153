"""The states of calls on a prompt: each is made for one call, and closed when that ends."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from .threads import Threads

if TYPE_CHECKING:
    from ..engine.engine import Engine
    from ..states.state import State
    from .wire import CallBody


class OwnState:
    """A state that may not be made yet. Whichever comes last closes it: that it is made, or that nobody needs it."""

    def __init__(self, states: OwnStates) -> None:
        self._states = states
        self._state: State | None = None
        self._needed = True

    def make(self, engine: Engine, body: CallBody) -> State:
        """Makes it. By a thread, since a long text takes a while. Raises as Engine.create_state does."""
        self._state = engine.create_state(body.prompt, tokens=body.tokens)
        self._states.ids.add(self._state.id)
        if not self._needed:
            self.close()
        return self._state

    def close(self) -> None:
        """Closes it now, or as soon as it is made."""
        self._needed = False
        if self._state is not None:
            self._state.close()
            self._states.ids.discard(self._state.id)


class OwnStates:
    """Those of one app. ids: which no other request can use."""

    def __init__(self, engine: Engine, threads: Threads) -> None:
        self._engine = engine
        self._threads = threads
        self.ids: set[str] = set()

    async def make(self, body: CallBody, ends: ExitStack) -> State:
        """A state of the body's prompt or tokens. It is closed with `ends`, in whatever way the call ends."""
        own = OwnState(self)
        ends.callback(own.close)
        return await self._threads.run(partial(own.make, self._engine, body), len(body.prompt or body.tokens or ()))

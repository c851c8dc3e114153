"""Connections whose bodies come in very many chunks are read by turns, so that others are not kept waiting.

h11 takes some 10 µs for each chunk, however small: a client that sends a byte per chunk would otherwise hold the event
loop for as long as all that it has sent takes.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from typing import Protocol

import h11

AT_ONCE = 8  # events of a connection without a turn: a request with a body is four
EVENTS = 32  # of a connection in one turn
SLICE = 0.002  # seconds of turns, and then as many for everything else, the engine's thread too
MAX_HEADERS = 100

_END_OF_HEADERS = re.compile(rb"\n\r?\n")


class PacedConnection(h11.Connection):
    """Says that it needs data when it has given `left` events, whatever it holds."""

    def __init__(self, max_incomplete_event_size: int) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size)
        self.left = AT_ONCE

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Raises h11.RemoteProtocolError, also for more headers than MAX_HEADERS: each takes h11 a microsecond and two
        objects."""
        if not self.left:
            return h11.NEED_DATA
        self.left -= 1
        if self.their_state is h11.IDLE:
            head = _END_OF_HEADERS.split(self.trailing_data[0], 1)[0]
            if head.count(b"\n") > MAX_HEADERS:
                raise h11.RemoteProtocolError("too many headers", error_status_hint=431)
        return super().next_event()


class Reader(Protocol):
    """A connection that has been given more than it has read."""

    def read_on(self) -> None:
        """Takes a turn, and joins again if that was not enough. Nothing, if the connection is closed."""


class ReadingTurns:
    """Those that have more to read, on one event loop."""

    def __init__(self) -> None:
        self._readers: deque[Reader] = deque()
        self._due = False  # whether the loop will call _serve

    def __bool__(self) -> bool:
        """Whether somebody has more to read."""
        return self._due

    def join(self, reader: Reader) -> None:
        """Puts a reader that is not in it at the end."""
        self._readers.append(reader)
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        end = time.monotonic() + SLICE
        try:
            self._readers.popleft().read_on()
            while self._readers and time.monotonic() < end:
                self._readers.popleft().read_on()
        finally:
            self._due = bool(self._readers)
            if self._due:
                asyncio.get_running_loop().call_later(SLICE, self._serve)

"""The line of those who wait for room in the queue: first come, first served."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from ..calls.channel import timed_out
from .bell import Bell
from .scheduler import Scheduler


class Place:
    """A caller's place in the line, which is left at the end of a `with` block.

    granted: room in the queue is kept for it. left: its caller no longer waits.
    """

    __slots__ = ("_bell", "_turn", "caller", "granted", "left")

    def __init__(self, bell: Bell, caller: str) -> None:
        self.caller = caller
        self.granted = self.left = False
        self._bell = bell
        self._turn = threading.Lock()
        self._turn.acquire()

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *exc: object) -> None:
        self.left = True
        self._bell.ring()  # the engine's thread lets the next one in

    def wait(self, deadline: float | None) -> None:
        """Until room is granted, or the line is closed. Raises CallTimeout at `deadline`, by time.monotonic().

        By a plain lock, which survives a signal handler that raises at any moment.
        """
        left = -1 if deadline is None else min(max(deadline - time.monotonic(), 0), threading.TIMEOUT_MAX)
        if not self._turn.acquire(timeout=left):
            raise timed_out()

    def call(self) -> None:
        """Ends the wait; a second time does nothing."""
        with suppress(RuntimeError):
            self._turn.release()


class Line:
    """Used with the engine's lock held, except that a place is left without it.

    All of it bears being interrupted by a signal's handler, and being done again: the engine's thread does so before
    each step for as long as somebody waits.
    """

    def __init__(self, scheduler: Scheduler, bell: Bell) -> None:
        self._scheduler = scheduler
        self._bell = bell
        self._places: list[Place] = []  # in order

    def __bool__(self) -> bool:
        return bool(self._places)

    def join(self, caller: str) -> Place:
        """A place at the end of the line."""
        place = Place(self._bell, caller)
        self._places.append(place)
        self.serve()
        return place

    def serve(self) -> None:
        """Grants the room that the queue has to those who have waited longest."""
        self._count()
        refused = set[str]()  # callers: what one has no room for, it has none for later in the line
        for place in self._places:
            if not place.granted and place.caller not in refused:
                if self._scheduler.has_room(place.caller):
                    place.granted = True
                    self._scheduler.promised.append(place.caller)
                else:
                    refused.add(place.caller)
            if place.granted:
                place.call()

    def take(self, place: Place) -> None:
        """Gives up a granted place for the job that is submitted next."""
        place.left = True
        self._count()

    def close(self) -> None:
        """Ends all waits."""
        for place in self._places:
            place.call()

    def _count(self) -> None:
        self._places = [place for place in self._places if not place.left]
        self._scheduler.promised = [place.caller for place in self._places if place.granted]

"""What the engine's thread waits for."""

from __future__ import annotations

import queue


class Bell:
    """Rung when there may be something to do. Ringing never waits: finalisers and signal handlers may."""

    def __init__(self) -> None:
        self._rings: queue.SimpleQueue[object] = queue.SimpleQueue()  # its put() may be entered again by itself
        self.ring_with = self._rings.put  # a builtin, which takes an argument that means nothing

    def ring(self) -> None:
        """Ends the wait that is on, or else the next one."""
        self._rings.put(None)

    def wait(self, timeout: float | None = None) -> None:
        """Until it is rung, or has been since the last wait; at most `timeout` seconds."""
        try:
            self._rings.get(timeout=timeout)
            while True:
                self._rings.get_nowait()
        except queue.Empty:
            pass

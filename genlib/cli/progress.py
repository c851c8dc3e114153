"""The line that shows how far a model is loaded: on a terminal only, and only if it takes a while."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

PATIENCE = 0.5  # seconds of loading before anything is shown
PERIOD = 0.1  # seconds between two updates
_UNITS = ((1e9, "GB"), (1e6, "MB"))


@contextmanager
def shown(stream: TextIO | None) -> Iterator[Callable[[int, int], None] | None]:
    """What Engine takes as `on_progress`; None unless the stream is a terminal that can rewrite a line.

    The line is gone at the end of the block.
    """
    if stream is None or not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    line = Line(stream)
    try:
        yield line.update
    finally:
        line.clear()


class Line:
    """A line of a terminal, written over and over. A terminal that is gone is no reason to stop loading."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next = time.monotonic() + PATIENCE
        self._width = 0  # of what is shown

    def update(self, done: int, total: int) -> None:
        """Shows how many bytes of the weights are read."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PERIOD
            part = 100 * done // total if total else 100
            self._show(f"genlib: loading the model, {_size(done)} of {_size(total)} ({part} %)")

    def clear(self) -> None:
        """Leaves no trace of it."""
        if self._width:
            self._show("")
            self._write("\r")

    def _show(self, text: str) -> None:
        text = text[: _columns(self._stream) - 1]  # a line that wraps cannot be written over
        self._write("\r" + text.ljust(self._width))
        self._width = len(text)

    def _write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()


def _columns(stream: TextIO) -> int:
    """The width of a terminal; 80 if it does not tell."""
    with suppress(OSError):
        return os.get_terminal_size(stream.fileno()).columns or 80
    return 80


def _size(count: int) -> str:
    unit, name = next((one for one in _UNITS if count >= one[0]), _UNITS[-1])
    return f"{count / unit:.1f} {name}"

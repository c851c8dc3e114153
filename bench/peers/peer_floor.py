"""The floor of decoding: how fast genlib's threads read memory. A process of its own, as its buffer is large."""

from __future__ import annotations

from pathlib import Path

from genlib import _native


class Peer:
    """See worker.Peer; no model."""

    def __init__(self, folder: Path, dtype: str, threads: int) -> None:  # noqa: ARG002 (every peer is made so)
        self._runtime = _native.CpuRuntime(threads, _native.cpu_widths()[0])

    def seconds_to_read(self, size: int) -> float:
        """`size` bytes, read once by all threads."""
        return size / _native.read_bandwidth(self._runtime, size)

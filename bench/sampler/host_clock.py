"""Times on the CPU: contestants take turns, A B C A B C …

The first half of a turn is not timed: behind anything else that a core did, or behind a rest, vector code needs two
milliseconds to come to its speed (bench/NOTES.md), and a server's core is at it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection

import torch

from genlib import _native

from .contestant import Draw, Times

TURN = 5e-3  # seconds that are timed, and as many before: shorter calls are repeated within a turn
ROUNDS = 15
BUDGET = 0.5  # seconds for a contestant's turns; a slow one has fewer of them, at least three


class HostClock:
    """modes: how a call is made; here one way. threads: of the reader whose bandwidth is the limit."""

    modes = ("call",)

    def __init__(self, threads: int) -> None:
        self._reader = _native.CpuRuntime(threads, _native.cpu_widths()[0])

    def samples(
        self,
        draws: dict[str, Draw],
        captures: Collection[str],  # noqa: ARG002 (of a GPU's graphs, as is `failed`)
        logits: torch.Tensor,
        failed: dict[str, str],  # noqa: ARG002
    ) -> dict[str, Times]:
        """Microseconds of each contestant's calls."""
        calls: dict[str, Callable[[], object]] = {n: functools.partial(draw, logits) for n, draw in draws.items()}
        with torch.inference_mode():
            return {name: {"call": times} for name, times in interleaved(calls).items()}

    def limit(self, size: int) -> list[float]:
        """Microseconds to read as many bytes as the logits have, by all threads, where they lie after a first read."""
        return [1e6 * size / _native.read_bandwidth(self._reader, size, 5) for _ in range(3)]


def interleaved(calls: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Microseconds of each call, one number for each turn."""
    repeats, rounds = {}, {}
    for name, call in calls.items():
        call()
        seconds = max(timed(call, 1), 1e-7)
        repeats[name] = max(1, int(TURN / seconds))
        rounds[name] = max(3, min(ROUNDS, int(BUDGET / (seconds * repeats[name]))))
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(ROUNDS):
        for name, call in calls.items():
            if turn < rounds[name]:
                timed(call, repeats[name])
                samples[name].append(1e6 * timed(call, repeats[name]))
    return samples


def timed(call: Callable[[], object], repeats: int) -> float:
    """Mean seconds."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats

"""Times on a GPU, by events: a graph's replays with the logits in the second-level cache or not, and eager calls.

A graph holds a call for each of many sets of logits, one after another, so that what is replayed runs long beside an
event and beside a graph's launch. Warm: the same set each time. Cold: sets that are together twice as large as the
cache, so that each has left it when its turn comes again. Each timed replay follows one that is not timed, behind which
the host has queued it.
"""

from __future__ import annotations

import functools
import gc
import statistics
from collections.abc import Callable, Collection

import torch

from .contestant import Draw, Times

CALLS = 20  # most in a warm graph, and in a row of eager calls
LONGEST = 20.0  # milliseconds that these should take
MOST_SETS = 2048
ROUNDS = 11
COPY_BYTES = 1 << 30


class GpuClock:
    modes = ("graph, warm", "graph, cold", "eager")

    def __init__(self) -> None:
        self._cache = torch.cuda.get_device_properties(0).L2_cache_size
        self._bandwidth = copy_bandwidth()

    def limit(self, size: int) -> list[float]:
        """Microseconds to read the logits once from device memory, at the bandwidth of a large copy."""
        return [1e6 * size / bandwidth for bandwidth in self._bandwidth]

    def samples(
        self, draws: dict[str, Draw], captures: Collection[str], logits: torch.Tensor, failed: dict[str, str]
    ) -> dict[str, Times]:
        """Microseconds of each contestant's calls, by mode. A graph that cannot be made is named in `failed`."""
        with torch.inference_mode():
            runs = self._runs(draws, captures, logits, failed)
            samples: dict[str, Times] = {name: {} for name in draws}
            for _ in range(ROUNDS):
                for (name, mode), (run, calls) in runs.items():
                    samples[name].setdefault(mode, []).append(1e3 * milliseconds(run) / calls)
        runs.clear()
        gc.collect()  # graphs keep their memory
        torch.cuda.empty_cache()
        return samples

    def _runs(
        self, draws: dict[str, Draw], captures: Collection[str], logits: torch.Tensor, failed: dict[str, str]
    ) -> dict[tuple[str, str], tuple[Callable[[], object], int]]:
        """By contestant and mode: what is timed, and how many calls it is."""
        cold = self.cold_sets(logits)
        runs: dict[tuple[str, str], tuple[Callable[[], object], int]] = {}
        for name, draw in draws.items():
            calls = self._calls(functools.partial(draw, logits))
            eager = functools.partial(repeat, draw, [logits] * calls)
            if name in captures:
                try:
                    runs[name, "graph, warm"] = captured(eager).replay, calls
                    if cold:
                        runs[name, "graph, cold"] = captured(functools.partial(repeat, draw, cold)).replay, len(cold)
                except RuntimeError as error:
                    failed[f"{name}, graph"] = str(error)[:300]
            runs[name, "eager"] = eager, calls
        return runs

    def _calls(self, call: Callable[[], object]) -> int:
        """How many calls are timed together: fewer of those that take long by themselves."""
        return max(2, min(CALLS, int(LONGEST / milliseconds(call))))

    def cold_sets(self, logits: torch.Tensor) -> list[torch.Tensor]:
        """Copies of the logits that do not fit into the cache; none where that would take too many."""
        size = logits.numel() * logits.element_size()
        count = max(2, -(-2 * self._cache // size))
        return [logits.clone() for _ in range(count)] if count <= MOST_SETS else []


def repeat(draw: Draw, sets: list[torch.Tensor]) -> None:
    for logits in sets:
        draw(logits)


def captured(call: Callable[[], object]) -> torch.cuda.CUDAGraph:
    """A graph of the call, which has run before."""
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    graph.replay()
    torch.cuda.synchronize()
    return graph


def milliseconds(run: Callable[[], object]) -> float:
    """Of the second of two runs in a row."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    run()
    start.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end)


def copy_bandwidth() -> list[float]:
    """Bytes per second, those read and those written, of a copy within the device's memory."""
    source = torch.ones(COPY_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    times = [milliseconds(lambda: target.copy_(source)) for _ in range(10)]
    return [2e3 * COPY_BYTES / statistics.median(times)]

"""A process of its own for one peer: no other library's threads, memory or settings are in it.

    python worker.py PACKAGE MODULE FOLDER DTYPE THREADS

imports PACKAGE (timed), then makes MODULE.Peer(folder, dtype, threads) (timed), and says so in a line of JSON. Then
each line on stdin is {"method": …, "args": […]}, and each line on stdout {"value": …}. All of a peer's measures
give seconds; it sleeps between two of them.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Protocol

WORKLOADS = ("prefill", "decode", "multi", "beam", "beam_step", "beam_cache")


class Peer(Protocol):
    """What a peer's module gives. All sampling: temperature 0.8, top-p 0.95, and no end of text.

    A peer without a call leaves its method out. Prompts are token ids, the same for all.
    """

    def __init__(self, folder: Path, dtype: str, threads: int) -> None: ...
    def greedy(self, prompt: list[int], count: int) -> list[int]:
        """The first `count` greedy tokens: a check that all run the same model."""

    def prefill(self, prompt: list[int]) -> float:
        """From a prompt never seen to its first drawn token."""

    def decode(self, prompt: list[int], count: int) -> float:
        """`count` drawn tokens, one by one; the prompt and one token are before them, and not in the time."""

    def multi(self, prompt: list[int], n: int, count: int) -> float:
        """n continuations of `count` drawn tokens; the prompt is in the time."""

    def beam(self, prompt: list[int], beams: int, steps: int) -> float:
        """A search of `steps` steps; the prompt is in the time."""

    def beam_step(self, prompt: list[int], beams: int, steps: int) -> float:
        """The mean step of such a search; the prompt is before it, and not in the time."""

    def beam_cache(self, prompt: list[int], beams: int, steps: int) -> int:
        """Most bytes of keys and values that such a search holds."""


def main() -> None:
    package, module, folder, dtype, threads = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # libraries that print do not disturb the answers
    start = time.perf_counter()
    library = importlib.import_module(package)
    imported = time.perf_counter()
    peer = importlib.import_module(module).Peer(Path(folder), dtype, int(threads))
    loaded = time.perf_counter()
    methods = [name for name in ("greedy", *WORKLOADS) if hasattr(peer, name)]
    ready = {
        "version": getattr(library, "__version__", ""),
        "methods": methods,
        "import_s": imported - start,
        "load_s": loaded - imported,
    }
    print(json.dumps(ready), file=answers)
    for line in sys.stdin:
        command = json.loads(line)
        if command["method"] == "peak_memory":
            value = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        else:
            value = getattr(peer, command["method"])(*command["args"])
        print(json.dumps({"value": value}), file=answers)
    os._exit(0)  # some libraries abort while their threads are taken down


if __name__ == "__main__":
    main()

"""Beam search beside its peers: milliseconds per step, and megabytes of keys and values.

    python bench/bench_beam.py [--shape 135M] [--beams 5 16] [--prefix 512] [--repetitions 3] [--json FILE]

The same workers, turns and settings as bench_generate.py, in float32. A step's time leaves the prompt out. The
bytes are those that a search of the same length holds at most: genlib's pages, the tensors of transformers' cache,
and for CTranslate2, which does not tell, what its layout (a row of the whole length for each beam) comes to.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from bench_generate import LIBRARIES, Worker, started
from checkpoints import SHAPES, Shape, checkpoint, default_folder
from machine import OtherLoad, machine
from report import beam_table

BEAMS, PREFIXES = (4, 5, 8, 16, 32), (16, 512, 2048)
STEPS = 16
ABLE = ("genlib", "transformers", "CTranslate2")


def cache_bytes(shape: Shape, beams: int, positions: int) -> int:
    """Keys and values in float32 where each beam has a row of its own."""
    return 2 * 4 * shape.L * shape.G * shape.D * beams * positions


def measure_case(shape: Shape, workers: list[Worker], beams: int, prefix: int, repetitions: int) -> dict[str, Any]:
    """One number of beams on one prompt: seconds per step of each library, in turns, and the bytes."""
    prompt = np.random.default_rng(prefix).integers(1, shape.V, prefix).tolist()
    samples: dict[str, list[float]] = {worker.library.name: [] for worker in workers}
    for worker in workers:
        worker.call("beam_step", prompt, beams, 4)
    for _ in range(repetitions):
        for worker in workers:
            samples[worker.library.name].append(worker.call("beam_step", prompt, beams, STEPS))
    sizes = {
        worker.library.name: worker.call("beam_cache", prompt, beams, STEPS)
        if "beam_cache" in worker.ready["methods"]
        else cache_bytes(shape, beams, prefix + STEPS)
        for worker in workers
    }
    seconds = {name: median(values) for name, values in samples.items()}
    print(f"K = {beams}, P = {prefix}: {seconds}", file=sys.stderr)
    return {"beams": beams, "prefix": prefix, "samples": samples, "cache_bytes": sizes}


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """All cases on one checkpoint."""
    folder = checkpoint(name, "float32", arguments.folder)
    with ExitStack() as stack:
        able = [x for x in LIBRARIES if x.name in arguments.library and importlib.util.find_spec(x.package)]
        workers = [stack.enter_context(started(x, folder, "float32", arguments.threads)) for x in able]
        cases = [
            measure_case(SHAPES[name], workers, beams, prefix, arguments.repetitions)
            for prefix in arguments.prefix
            for beams in arguments.beams
        ]
        versions = {worker.library.name: worker.ready["version"] for worker in workers}
    return {"shape": name, "versions": versions, "cases": cases}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, action="append", help="all, unless given")
    parser.add_argument("--library", nargs="+", choices=ABLE, default=ABLE)
    parser.add_argument("--beams", type=int, nargs="+", default=BEAMS)
    parser.add_argument("--prefix", type=int, nargs="+", default=PREFIXES)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=default_folder(), help="where checkpoints are, or are made")
    parser.add_argument("--json", type=Path, help="a line is added to this file")
    arguments = parser.parse_args()
    run = machine() | {"bench": "beam", "threads": arguments.threads, "repetitions": arguments.repetitions}
    load = OtherLoad()
    run["models"] = [measure(shape, arguments) for shape in arguments.shape or SHAPES]
    run["busy_elsewhere"] = load.share()
    print(beam_table(run))
    if arguments.json:
        with arguments.json.open("a") as file:
            print(json.dumps(run), file=file)


if __name__ == "__main__":
    main()

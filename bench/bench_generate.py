"""genlib beside its peers, end to end: the same weights, prompts, precision and threads, all in one run.

    python bench/bench_generate.py [--shape 135M] [--dtype float32] [--repetitions 5] [--json FILE]

Every library runs in a process of its own (peers/worker.py) and is measured in turn, A B C A B C …; a figure is the
median of its repetitions. The floor of decoding is the time to read all weights once, at the bandwidth measured
in the same turns on a buffer of their size. See README.md for what is counted and what is not.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from checkpoints import DTYPES, SHAPES, checkpoint, default_folder
from machine import OtherLoad, machine
from report import markdown

PEERS = Path(__file__).parent / "peers"
PROMPT = 32  # tokens, but for prefill
MULTI, BEAMS = 16, 5


@dataclass(frozen=True, slots=True)
class Library:
    """What runs in a worker: the package that is timed as it is imported, and our module that drives it."""

    name: str
    package: str
    module: str
    dtypes: tuple[str, ...] = DTYPES
    environment: Mapping[str, str] = field(default_factory=dict)


FLOOR = Library("floor", "genlib", "peer_floor")
LIBRARIES = (
    Library("genlib", "genlib", "peer_genlib"),
    Library("transformers", "transformers", "peer_transformers"),
    # Its default BLAS is many times slower on a few threads.
    Library("CTranslate2", "ctranslate2", "peer_ctranslate2", ("float32",), {"CT2_USE_MKL": "0"}),
    Library("llama.cpp", "llama_cpp", "peer_llama_cpp"),
)


@dataclass(frozen=True, slots=True)
class Workload:
    """A method of peers/worker.Peer, and how much its seconds are worth: tokens, or steps of a search."""

    name: str
    prompt: int
    arguments: tuple[int, ...]
    warm_up: tuple[int, ...]
    amount: int


WORKLOADS = (
    Workload("prefill", 512, (), (), 512),
    Workload("decode", PROMPT, (128,), (8,), 128),
    Workload("multi", PROMPT, (MULTI, 64), (MULTI, 4), MULTI * 64),
    Workload("beam", PROMPT, (BEAMS, 32), (BEAMS, 4), 32),
)


class Worker:
    """A process that runs one library. Made by `started`."""

    def __init__(self, library: Library, process: subprocess.Popen[str]) -> None:
        self.library = library
        self._process = process
        self.ready = self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.library.name}: its process ended; what it wrote is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def call(self, method: str, *arguments: object) -> Any:
        assert self._process.stdin is not None
        print(json.dumps({"method": method, "args": arguments}), file=self._process.stdin, flush=True)
        return self._read()["value"]


@contextmanager
def started(library: Library, folder: Path, dtype: str, threads: int) -> Iterator[Worker]:
    """A worker that has loaded its model; it ends with the block."""
    environment = {**os.environ, **library.environment}
    if library.package != "genlib":
        environment.pop("PYTHONPATH", None)  # our root has a folder whose name transformers tries to import
    command = [sys.executable, str(PEERS / "worker.py"), library.package, library.module]
    command += [str(folder), dtype, str(threads)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        try:
            yield Worker(library, process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def measure(shape: str, dtype: str, libraries: list[Library], arguments: argparse.Namespace) -> dict[str, Any]:
    """All workloads of all libraries on one checkpoint: samples in units per second."""
    folder = checkpoint(shape, dtype, arguments.folder)
    size = SHAPES[shape].num_weights() * (2 if dtype == "bfloat16" else 4)
    generator = np.random.default_rng(0)
    prompts = {n: generator.integers(1, SHAPES[shape].V, n).tolist() for n in (PROMPT, 512)}
    with ExitStack() as stack:
        floor = stack.enter_context(started(FLOOR, folder, dtype, arguments.threads))
        workers = [
            stack.enter_context(started(library, folder, dtype, arguments.threads))
            for library in libraries
            if dtype in library.dtypes
        ]
        greedy = {w.library.name: w.call("greedy", prompts[PROMPT], 8) for w in workers}
        samples: dict[str, dict[str, list[float]]] = {w.library.name: {} for w in workers}
        reads = []
        for workload in WORKLOADS:
            print(f"{shape} {dtype}: {workload.name}", file=sys.stderr)
            prompt = prompts[workload.prompt]
            able = [w for w in workers if workload.name in w.ready["methods"]]
            for worker in able:
                worker.call(workload.name, prompt, *workload.warm_up)
                samples[worker.library.name][workload.name] = []
            for _ in range(arguments.repetitions):
                if workload.name == "decode":
                    reads.append(1 / floor.call("seconds_to_read", size))
                for worker in able:
                    seconds = worker.call(workload.name, prompt, *workload.arguments)
                    samples[worker.library.name][workload.name].append(workload.amount / seconds)
        ready = {w.library.name: {**w.ready, "peak_memory": w.call("peak_memory")} for w in workers}
    return {
        "shape": shape,
        "dtype": dtype,
        "weight_bytes": size,
        "floor": reads,
        "greedy": greedy,
        "samples": samples,
        "workers": ready,
    }


def start_up(threads: int, repetitions: int) -> dict[str, list[float]]:
    """Seconds to import genlib, and from there to an engine with the embedded model, in fresh processes."""
    times: dict[str, list[float]] = {"import_s": [], "load_s": []}
    for _ in range(repetitions):
        with started(LIBRARIES[0], Path("none"), "auto", threads) as worker:
            for name, values in times.items():
                values.append(worker.ready[name])
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, action="append", help="all, unless given")
    parser.add_argument("--dtype", choices=DTYPES, action="append", help="all, unless given")
    parser.add_argument("--library", choices=[x.name for x in LIBRARIES], action="append", help="all, unless given")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=default_folder(), help="where checkpoints are, or are made")
    parser.add_argument("--json", type=Path, help="a line is added to this file")
    arguments = parser.parse_args()
    chosen = [x for x in LIBRARIES if arguments.library is None or x.name in arguments.library]
    missing = [x.name for x in chosen if not importlib.util.find_spec(x.package)]
    libraries = [x for x in chosen if x.name not in missing]
    run = machine() | {"threads": arguments.threads, "repetitions": arguments.repetitions, "missing": missing}
    load = OtherLoad()
    run["start_up"] = start_up(arguments.threads, arguments.repetitions)
    run["models"] = [
        measure(shape, dtype, libraries, arguments)
        for shape in arguments.shape or SHAPES
        for dtype in arguments.dtype or DTYPES
    ]
    run["busy_elsewhere"] = load.share()
    print(markdown(run))
    if arguments.json:
        with arguments.json.open("a") as file:
            print(json.dumps(run), file=file)


if __name__ == "__main__":
    main()

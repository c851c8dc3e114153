"""All that needs a GPU, by one command in less than eight minutes: the tests, then the figures; one file of JSON.

    python bench/gpu.py [--json gpu.json] [--seconds 460] [--part sampler]

Each part runs in a process of its own, with a limit: one that fails or hangs is told of, and the rest goes on. The file
is written anew every few seconds, so that what has come is there if this is cut off.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from machine import gpu, machine, versions

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("genlib", "torch", "triton", "numpy", "transformers", "flashinfer", "vllm", "pytest", "pytest-benchmark")
ENVIRONMENT = {"TRITON_INTERPRET": "0", "PYTHONUNBUFFERED": "1"}
LOOKS, GPU_LOOKS = 1.0, 15.0  # seconds between two looks at a part, and at the GPU's clocks meanwhile
KEPT = 6_000  # characters of a part's output, from its beginning and from its end
PYTEST = ("-m", "pytest", "-W", "default", "--tb=short")


@dataclass(frozen=True, slots=True)
class Part:
    """Commands of Python that run side by side, each with its own output, for at most so many seconds.

    lines: whether the first takes --lines FILE and writes results there, one JSON object a line.
    """

    name: str
    seconds: float
    commands: tuple[tuple[str, ...], ...]
    lines: bool = False


def compile_kernels(V: int, dtype: str) -> tuple[str, ...]:
    """Triton compiles in one thread and keeps what it made on disk: so several processes do it at once."""
    code = f"import torch; from genlib.kernels import warm_up; warm_up('cuda', vocabulary={V}, dtype=torch.{dtype})"
    return ("-c", code)


def compile_beams(num_beams: int) -> tuple[str, ...]:
    """The same for the beam step."""
    call = f"warm_up_beams('cuda', vocabulary=128256, num_beams={num_beams}, num_eos=0)"
    return ("-c", f"from genlib.kernels import warm_up_beams; {call}")


def parts() -> tuple[Part, ...]:
    tests = sorted(str(path) for path in (ROOT / "tests" / "kernels").glob("test_*gpu*.py"))
    sampler = (*PYTEST, "bench/bench_sampling.py", "--device", "cuda", "--figures", "--benchmark-disable-gc", "-qrN")
    kinds = ((2064, "float32"), (2064, "bfloat16"), (2064, "float16"), (1029, "float32"))
    return (
        Part("compile", 150, (*(compile_kernels(V, dtype) for V, dtype in kinds), compile_beams(8))),
        Part("tests", 240, ((*PYTEST, "-m", "gpu", "-v", "--durations=15", *tests),)),
        Part("sampler", 150, (sampler,), lines=True),
        Part("beams", 50, (("bench/bench_beam_step.py", "--device", "cuda", "--figures"),), lines=True),
    )


class Report:
    """The file: one JSON object, written whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content: dict[str, Any] = machine() | {"gpu": gpu(), "versions": versions(*PACKAGES), "parts": {}}

    def put(self, part: str, result: dict[str, Any]) -> None:
        self._content["parts"][part] = result
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self._content, indent=1))
        new.replace(self._path)


@contextmanager
def running(part: Part, lines: Path, outputs: list[Path]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The part's processes; those that still run are ended with the block."""
    processes = []
    for command, output in zip(part.commands, outputs, strict=True):
        extra = ["--lines", str(lines)] if part.lines else []
        with output.open("wb") as file:
            processes.append(
                subprocess.Popen(
                    [sys.executable, *command, *extra],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    cwd=ROOT,
                    env=os.environ | ENVIRONMENT,
                )
            )
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run(part: Part, seconds: float, report: Report) -> dict[str, Any]:
    """Runs a part for at most so many seconds. What came of it, which is also in the report all the while."""
    start = time.monotonic()
    clocks = [gpu()]
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines"
        outputs = [Path(folder) / str(i) for i in range(len(part.commands))]
        with running(part, lines, outputs) as processes:
            while True:
                exits = [process.poll() for process in processes]
                passed = time.monotonic() - start
                is_over = None not in exits or passed > seconds
                if is_over or passed > GPU_LOOKS * len(clocks):
                    clocks.append(gpu())
                result = {
                    "seconds": round(passed, 1),
                    "exit": exits,  # None: cut off
                    "gpu": clocks,
                    "results": results_in(lines),
                    "output": [shortened(path.read_bytes().decode(errors="replace"), KEPT) for path in outputs],
                }
                report.put(part.name, result)
                if is_over:
                    return result
                time.sleep(LOOKS)


def results_in(lines: Path) -> list[Any]:
    """The whole lines that are there."""
    if not lines.exists():
        return []
    return [json.loads(line) for line in lines.read_text().splitlines(keepends=True) if line.endswith("\n")]


def shortened(text: str, kept: int) -> str:
    """Its beginning, where an error often is, and its end."""
    return text if len(text) <= 2 * kept else f"{text[:kept]}\n…\n{text[-kept:]}"


def summary(results: list[Any]) -> list[str]:
    """A line for each cell: genlib's times by mode, its target, and how many times as long the peers take."""
    lines = []
    for record in results:
        medians = {name: {m: median(x) for m, x in by.items()} for name, by in record["samples"].items()}
        own = medians.pop("genlib")
        times = ", ".join(f"{mode} {time:.1f}" for mode, time in own.items())
        target = f" (target {record['cell']['target']:g})" if record["cell"]["target"] else ""
        ratios = [f"{name} {_ratio(own, by):.1f} times" for name, by in medians.items()]
        limit = f"limit {min(record['limit']):.1f}"
        lines.append("; ".join([f"{record['name']}: {times} us{target}", limit, *ratios, *record["failed"]]))
    return lines


def _ratio(own: dict[str, float], other: dict[str, float]) -> float:
    mode = next(mode for mode in own if mode in other)
    return other[mode] / own[mode]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), help="written, and replaced if it is there")
    parser.add_argument("--seconds", type=float, default=460, help="for all parts together")
    parser.add_argument("--part", action="append", choices=[part.name for part in parts()], help="all, unless given")
    arguments = parser.parse_args()
    report, end = Report(arguments.json), time.monotonic() + arguments.seconds
    for part in parts():
        left = end - time.monotonic()
        if (arguments.part and part.name not in arguments.part) or left < 5:
            continue
        result = run(part, min(part.seconds, left), report)
        print(f"== {part.name}: exit {result['exit']}, {result['seconds']} s", flush=True)
        print(
            "\n".join(summary(result["results"]) or [shortened(output, 1500) for output in result["output"]]),
            flush=True,
        )


if __name__ == "__main__":
    main()

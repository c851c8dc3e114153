"""The beam step alone, from logits to the next beams, beside torch: log_softmax, the sums added, topk.

    python bench/bench_beam_step.py [--device cuda] [--figures] [--lines FILE]

On the CPU by one thread, unless --num-threads says more. Logits are randn · 3, V = 128,256, and stay the same, so that
no search ever ends; torch does the candidates only, and not what then becomes of the beams. Times are those of
sampler/'s clocks: contestants in turns, on a GPU as graphs with the logits in the cache or not, and eager.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from genlib.kernels import Search, Searches, beam_step, new_beam_workspace, new_searches
from machine import machine
from sampler.measure import new_clock

V = 128256
LONGEST = 1 << 16  # steps: more than are timed


@dataclass(frozen=True, slots=True)
class Cell:
    """B searches of K beams each. target: microseconds that are to be reached; 0: none."""

    num_searches: int
    num_beams: int
    dtype: str
    target: float = 0


HOST = (Cell(1, 4, "float32"), Cell(1, 8, "float32", 600), Cell(1, 16, "float32"), Cell(1, 32, "float32"))
GPU_FIGURES = (Cell(1, 8, "bfloat16", 10), Cell(32, 8, "bfloat16", 40))
GPU_MORE = (Cell(1, 4, "bfloat16"), Cell(1, 8, "float32"), Cell(8, 8, "bfloat16"), Cell(1, 32, "bfloat16"))


def searches_of(cell: Cell, device: str) -> Searches:
    search = Search(num_beams=cell.num_beams, max_length=LONGEST)
    return new_searches([search] * cell.num_searches, vocabulary=V, eos_ids=[], device=device)


def with_genlib(cell: Cell, device: str) -> Callable[[torch.Tensor], object]:
    searches = searches_of(cell, device)
    workspace = new_beam_workspace(searches.num_rows, V, device)
    return lambda logits: beam_step(logits, searches, workspace)


def with_torch(cell: Cell, device: str) -> Callable[[torch.Tensor], object]:
    B, K = cell.num_searches, cell.num_beams
    total = -torch.arange(B * K, dtype=torch.float32, device=device)[:, None] / 100

    def step(logits: torch.Tensor) -> object:
        scores = torch.log_softmax(logits, -1, dtype=torch.float32) + total
        return torch.topk(scores.view(B, K * V), 2 * K)

    return step


def check(logits: torch.Tensor, cell: Cell, device: str) -> None:
    """The first step's beams have the scores that torch finds."""
    searches = searches_of(cell, device)
    beam_step(logits, searches)
    first = torch.log_softmax(logits[:: cell.num_beams].double(), -1).topk(cell.num_beams).values
    torch.testing.assert_close(searches.score.view_as(first).double(), first, atol=1e-5, rtol=1e-6)


def measure(cell: Cell, clock: Any, device: str) -> dict[str, Any]:
    """Microseconds of a step, by contestant and mode."""
    shape, dtype = (cell.num_searches * cell.num_beams, V), getattr(torch, cell.dtype)
    logits = (torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 3).to(device, dtype)
    check(logits, cell, device)
    failed: dict[str, str] = {}
    steps = {"genlib": with_genlib(cell, device), "torch": with_torch(cell, device)}
    return {
        "name": f"beam_step, {cell.num_searches} x {cell.num_beams} beams, {cell.dtype}",
        "cell": asdict(cell),
        "samples": clock.samples(steps, set(steps), logits, failed),
        "limit": clock.limit(logits.numel() * logits.element_size()),
        "failed": failed,
    }


def line(record: dict[str, Any]) -> str:
    medians = {name: {mode: median(x) for mode, x in by.items()} for name, by in record["samples"].items()}
    parts = [
        f"{mode}: {time:.1f} us, torch {medians['torch'][mode] / time:.1f} times"
        for mode, time in medians["genlib"].items()
        if mode in medians["torch"]
    ]
    return f"{record['name']}: {'; '.join(parts)}; reading takes {min(record['limit']):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--figures", action="store_true", help="on a GPU: only what has a target")
    parser.add_argument("--num-threads", type=int, default=1)
    parser.add_argument("--lines", type=Path, help="each result is added to this file as soon as it is there")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.num_threads)
    cells = HOST if arguments.device == "cpu" else GPU_FIGURES + (() if arguments.figures else GPU_MORE)
    clock = new_clock(arguments.device, arguments.num_threads)
    for cell in cells:
        record = measure(cell, clock, arguments.device)
        print(line(record), flush=True)
        if arguments.lines:
            with arguments.lines.open("a") as file:
                print(json.dumps(machine() | {"threads": arguments.num_threads} | record), file=file)


if __name__ == "__main__":
    main()

"""What a decode step costs outside of the model: from one return of `Model.wait` to the next call of `Model.launch`.

    python bench/bench_overhead.py [--model FOLDER] [--steps 400] [--json FILE]

That is all of Python's share of a step: commit, text, results, scheduling, the next batch. The kernels, sampling
included, are in the step. First the gaps are measured as they are; then a second run under cProfile tells how
they divide. A profile makes small functions dearer than they are, so its shares are scaled to the gap measured.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any

import genlib

PROMPT = 32
LINES = 14


@dataclass(frozen=True, slots=True)
class Steps:
    """Nanoseconds in each step, and between two of them."""

    inside: list[int]
    gaps: list[int]


@contextmanager
def clocked(engine: genlib.Engine, profile: cProfile.Profile | None = None) -> Iterator[Steps]:
    """Times the steps that run in the block. A profile sees all that the engine's thread does between them."""
    model, steps, begun, ended = engine._model, Steps([], []), 0, 0
    launch, wait = model.launch, model.wait

    def begin(num_tokens: int) -> None:
        nonlocal begun
        begun = time.perf_counter_ns()
        if profile is not None:
            profile.disable()
        if ended:
            steps.gaps.append(begun - ended)
        launch(num_tokens)

    def end() -> None:
        nonlocal ended
        wait()
        if profile is not None:
            profile.enable()
        ended = time.perf_counter_ns()
        steps.inside.append(ended - begun)

    model.launch, model.wait = begin, end  # type: ignore[method-assign]
    try:
        yield steps
    finally:
        del model.launch, model.wait  # the methods of its class are there again


def calls(engine: genlib.Engine, steps: int) -> dict[str, Callable[[], object]]:
    """The calls that are looked at, each of about `steps` steps on a prompt of its own."""
    prompt = list(range(1, PROMPT + 1))
    sampling: dict[str, Any] = {"temperature": 0.8, "top_p": 0.95, "ignore_eos": True, "max_tokens": steps}

    def state() -> genlib.State:
        return engine.create_state(tokens=prompt)

    return {
        "token": lambda: genlib.generate_token(state(), **sampling),
        "token, streamed": lambda: list(genlib.generate_token(state(), stream=True, **sampling)),
        "multi, n = 16": lambda: genlib.generate_multi(state(), n=16, **sampling),
        "beam, K = 5": lambda: genlib.beam_search(state(), num_beams=5, max_length=steps),
    }


def shares(profile: cProfile.Profile) -> list[tuple[str, float]]:
    """Functions with their share of the profile's time, their own alone, largest first."""
    entries = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    own = {}
    for (file, _, name), (_, _, seconds, _, _) in entries.items():
        if "disable" not in name:
            own[f"{Path(file).stem}.{name}" if file != "~" else name] = seconds
    total = sum(own.values())
    return sorted(((name, seconds / total) for name, seconds in own.items()), key=lambda x: -x[1])


def look_at(engine: genlib.Engine, name: str, call: Callable[[], object]) -> dict[str, Any]:
    """Prints and gives the figures of one call, in microseconds."""
    call()
    with clocked(engine) as steps:
        start = time.perf_counter_ns()
        call()
        wall = time.perf_counter_ns() - start
    profile = cProfile.Profile()
    with clocked(engine, profile):
        call()
    gaps = [gap / 1000 for gap in steps.gaps[1:]]  # the first is that of the prompt's step
    figures = {
        "call": name,
        "steps": len(steps.inside),
        "gap": median(gaps),
        "gap_mean": mean(gaps),
        "gap_p90": quantiles(gaps, n=10)[-1],
        "step": median(steps.inside) / 1000,
        "wall": wall / 1000 / len(steps.inside),
    }
    print(f"\n{name}: {figures['gap']:.1f} us between steps (mean {figures['gap_mean']:.1f}, ", end="")
    print(f"p90 {figures['gap_p90']:.1f}), step {figures['step']:.1f} us, wall {figures['wall']:.1f} us a step")
    for function, share in shares(profile)[:LINES]:
        print(f"  {share * figures['gap']:6.1f} us  {function}")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a checkpoint's folder; the embedded model, unless given")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="a line is added to this file")
    arguments = parser.parse_args()
    with genlib.Engine(arguments.model, threads=arguments.threads) as engine:
        figures = [look_at(engine, *item) for item in calls(engine, arguments.steps).items()]
    if arguments.json:
        with arguments.json.open("a") as file:
            print(json.dumps({"model": engine.model_name, "threads": arguments.threads, "calls": figures}), file=file)


if __name__ == "__main__":
    main()

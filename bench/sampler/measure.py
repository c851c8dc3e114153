"""A cell's measurement: every contestant checked, then timed in turns."""

from __future__ import annotations

import dataclasses
from typing import Any

from machine import gpu, machine, versions

from .cells import Cell
from .contestant import Contestant, Draw
from .gates import Gate
from .gpu_clock import GpuClock
from .host_clock import HostClock
from .logits import logits_of
from .own import own_contestants
from .peers import peers


def contestants(device: str) -> list[Contestant]:
    """genlib's first, then the peers, there or not."""
    return own_contestants(device) + peers(device)


def new_clock(device: str, threads: int) -> HostClock | GpuClock:
    return GpuClock() if device == "cuda" else HostClock(threads)


def measure(cell: Cell, device: str, clock: HostClock | GpuClock) -> dict[str, Any]:
    """A record of plain values: microseconds per call by contestant and mode, the limit's, and who failed and how.

    WrongResultError of genlib's own goes through; a peer that fails in any way is named with its message.
    """
    logits = logits_of(cell, device)
    gate = Gate(cell, logits)
    draws: dict[str, Draw] = {}
    failed: dict[str, str] = {}
    able = [contestant for contestant in contestants(device) if contestant.is_there]
    for contestant in able:
        try:
            draw = contestant.prepare(cell, device)
            if draw is not None:
                gate.check(contestant, draw)
                draws[contestant.name] = draw
        except Exception as error:
            if contestant.package == "genlib":
                raise
            failed[contestant.name] = f"{type(error).__name__}: {error}"[:300]
    captures = {contestant.name for contestant in able if contestant.captures}
    return {
        "cell": dataclasses.asdict(cell),
        "name": cell.name,
        "samples": clock.samples(draws, captures, logits, failed),
        "limit": clock.limit(cell.logits_bytes),
        "failed": failed,
    }


def run_of(device: str, threads: int, cells: list[dict[str, Any]], busy_elsewhere: float) -> dict[str, Any]:
    """The line of JSON of a run."""
    there = contestants(device)
    own = [one.name for one in there if one.package == "genlib"]
    packages = dict.fromkeys(["torch", "triton", "numpy", *(one.package for one in there if one.package != "genlib")])
    return {
        "bench": "sampling",
        **machine(),
        "gpu": gpu() if device == "cuda" else {},
        "versions": versions(*packages),
        "device": device,
        "threads": threads,
        "repetitions": max((len(x) for cell in cells for x in cell["samples"]["genlib"].values()), default=0),
        "own": own,
        "peers": [one.name for one in there if one.name not in own],
        "missing": [one.name for one in there if not one.is_there],
        "busy_elsewhere": busy_elsewhere,
        "cells": cells,
    }

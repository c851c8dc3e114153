"""The tables of bench_generate, bench_beam and bench_sampling, from their lines of JSON.

python bench/report.py FILE     the last run in a file, as Markdown
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from sampler.summary import sampling_table
from table import aligned, measured_on

UNITS = {"prefill": "prefill 512", "decode": "decode", "multi": "multi 16", "beam": "beam 5 (steps/s)"}


def markdown(run: dict[str, Any]) -> str:
    """All tables of one run, with what they were measured on."""
    models = run["models"]
    versions = {name: w["version"] for model in models for name, w in model["workers"].items()}
    start = {name: median(values) for name, values in run["start_up"].items()}
    lines = [
        measured_on(run) + "; tokens/s.",
        ", ".join(f"{name} {version}" for name, version in versions.items())
        + (f"; not installed: {', '.join(run['missing'])}" if run["missing"] else ""),
        f"genlib: import {start['import_s']:.2f} s, then Engine() with the embedded model {start['load_s']:.2f} s.",
    ]
    for model in models:
        lines += ["", *_table(model)]
    return "\n".join(lines)


def _table(model: dict[str, Any]) -> list[str]:
    title = f"{model['shape']} {model['dtype']}"
    rows = [[title, *UNITS.values(), "same greedy", "load, s", "peak less weights, MB"]]
    medians = {
        name: {workload: median(values) for workload, values in samples.items()}
        for name, samples in model["samples"].items()
    }
    for name, figures in medians.items():
        worker = model["workers"][name]
        over = (worker["peak_memory"] - model["weight_bytes"]) / 1e6
        cells = [_number(figures.get(workload)) for workload in UNITS]
        rows.append([name, *cells, _same(model["greedy"], name), f"{worker['load_s']:.2f}", f"{over:.0f}"])
    floor = median(model["floor"])
    gigabytes = floor * model["weight_bytes"] / 1e9
    rows.append([f"floor, {gigabytes:.1f} GB/s", "", _number(floor), *[""] * 5])
    if "genlib" in medians:
        ratios = [_ratio(medians, workload, floor) for workload in UNITS]
        rows.append(["genlib ÷ best peer", *ratios, *[""] * 3])
    return aligned(rows)


def beam_table(run: dict[str, Any]) -> str:
    """Of bench_beam: a table for each model. Beside a peer's time, by how much genlib is faster, or smaller."""
    lines = [measured_on(run) + "; milliseconds per step, and megabytes of keys and values."]
    for model in run["models"]:
        names = list(model["versions"])
        lines += ["", ", ".join(f"{name} {version}" for name, version in model["versions"].items()), ""]
        head = [f"{model['shape']} float32, K, P", *(f"{name}, {unit}" for unit in ("ms", "MB") for name in names)]
        rows = [head]
        for case in model["cases"]:
            times = {name: 1000 * median(values) for name, values in case["samples"].items()}
            sizes = {name: size / 1e6 for name, size in case["cache_bytes"].items()}
            rows.append([f"{case['beams']}, {case['prefix']}", *_beside(times), *_beside(sizes)])
        lines += aligned(rows)
    return "\n".join(lines)


def _beside(figures: dict[str, float]) -> list[str]:
    """The first figure, and the others with their multiple of it."""
    own = next(iter(figures.values()))
    return [f"{x:.3g}" + ("" if x is own else f" ({x / own:.1f} x)") for x in figures.values()]


def _ratio(medians: dict[str, dict[str, float]], workload: str, floor: float) -> str:
    ours = medians["genlib"][workload]
    peers = [figures[workload] for name, figures in medians.items() if name != "genlib" and workload in figures]
    text = f"{ours / max(peers):.2f}" if peers else "-"
    return f"{text}; {ours / floor:.2f} of the floor" if workload == "decode" else text


def _same(greedy: dict[str, list[int]], name: str) -> str:
    """How many greedy tokens agree with the first library's before one does not."""
    first, own = next(iter(greedy.values())), greedy[name]
    equal = next((i for i, (a, b) in enumerate(zip(first, own, strict=True)) if a != b), len(first))
    return f"{equal}/{len(first)}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


if __name__ == "__main__":
    last = json.loads(Path(sys.argv[1]).read_text().splitlines()[-1])
    tables = {"beam": beam_table, "sampling": sampling_table}
    print(tables.get(last.get("bench", ""), markdown)(last))

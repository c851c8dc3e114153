"""The tables of bench_generate, from its lines of JSON.

python bench/report.py FILE     the last run in a file, as Markdown
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

UNITS = {"prefill": "prefill 512", "decode": "decode", "multi": "multi 16", "beam": "beam 5 (steps/s)"}


def markdown(run: dict[str, Any]) -> str:
    """All tables of one run, with what they were measured on."""
    models = run["models"]
    versions = {name: w["version"] for model in models for name, w in model["workers"].items()}
    start = {name: median(values) for name, values in run["start_up"].items()}
    lines = [
        f"{run['date']}, commit {run['commit']}: {run['cpu']}, {run['threads']} threads of {run['cores']} cores, "
        f"of which other processes took {run['busy_elsewhere']:.0%}, Python {run['python']}; "
        f"medians of {run['repetitions']}; tokens/s.",
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
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rows.insert(1, ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])])
    aligned = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
    return [f"| {' | '.join(row)} |" for row in aligned]


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
    print(markdown(json.loads(Path(sys.argv[1]).read_text().splitlines()[-1])))

"""The table of bench_sampling: microseconds per call, how many times as long the peers take, and the limit."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from table import aligned, measured_on

OWN = "genlib"
Record = Mapping[str, Any]
MODES = {"cpu": ("call",), "cuda": ("graph, warm", "graph, cold", "eager")}


def sampling_table(run: dict[str, Any]) -> str:
    """All cells of a run. A peer's number is its time over genlib's, in the first mode that both have."""
    rows = [[f"{run['device']}, µs", *_heads(run), *(f"{peer} ÷" for peer in run["peers"]), "÷ limit", "target"]]
    rows += [_row(run, record) for record in run["cells"]]
    lines = [measured_on(run), _versions(run)]
    failed = {f"{name}: {why}" for record in run["cells"] for name, why in record["failed"].items()}
    return "\n".join([*lines, *(f"failed: {why}" for why in sorted(failed)), "", *aligned(rows)])


def _versions(run: dict[str, Any]) -> str:
    known = ", ".join(f"{name} {version}" for name, version in run["versions"].items() if version)
    return known + (f"; not installed: {', '.join(run['missing'])}" if run["missing"] else "")


def _heads(run: dict[str, Any]) -> list[str]:
    modes = MODES[run["device"]]
    first = [OWN] if len(modes) == 1 else [f"{OWN}, {mode}" for mode in modes]
    return [*first, *run["own"][1:]]


def _row(run: dict[str, Any], record: Record) -> list[str]:
    modes = MODES[run["device"]]
    own = [_number(time_of(record, OWN, mode)) for mode in modes]
    others = [_number(time_of(record, name, modes[0])) for name in run["own"][1:]]
    peers = [_ratio(record, peer, modes) for peer in run["peers"]]
    return [record["name"], *own, *others, *peers, over_limit(record), _target(record, modes[0])]


def time_of(record: Record, name: str, mode: str) -> float | None:
    """Median microseconds of a call."""
    samples = record["samples"].get(name, {}).get(mode)
    return median(samples) if samples else None


def _ratio(record: Record, peer: str, modes: tuple[str, ...]) -> str:
    for mode in modes:
        own, other = time_of(record, OWN, mode), time_of(record, peer, mode)
        if own is not None and other is not None:
            return f"{other / own:.1f}" + (f" ({mode})" if mode != modes[0] else "")
    return "-"


def over_limit(record: Record) -> str:
    """genlib's time over that of reading its logits once, where they are not in a cache if that was measured."""
    times = (time_of(record, OWN, mode) for mode in ("graph, cold", "graph, warm", "call"))
    own = next(time for time in times if time is not None)
    return f"{own / min(record['limit']):.1f}"


def _target(record: Record, mode: str) -> str:
    target, own = record["cell"]["target"], time_of(record, OWN, mode)
    if target is None or own is None:
        return "-"
    return f"{'met' if own <= target else 'MISSED'}: {target:g}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"

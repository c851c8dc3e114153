"""What all results have in common: the line that says what they were measured on, and Markdown tables."""

from __future__ import annotations

from typing import Any


def measured_on(run: dict[str, Any]) -> str:
    """The machine, the commit and the load of a run."""
    return (
        f"{run['date']}, commit {run['commit']}: {run['cpu']}, {run['threads']} threads of {run['cores']} cores, "
        f"of which other processes took {run['busy_elsewhere']:.0%}, Python {run['python']}; "
        f"medians of {run['repetitions']}"
    )


def aligned(rows: list[list[str]]) -> list[str]:
    """A Markdown table; the first row is its head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rows = [rows[0], ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])], *rows[1:]]
    aligned = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
    return [f"| {' | '.join(row)} |" for row in aligned]

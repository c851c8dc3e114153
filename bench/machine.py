"""On what a benchmark runs, and how much of it others take: the head of every result."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

DISTRIBUTIONS = {"flashinfer": "flashinfer-python"}  # of packages that are distributed under another name
GPU_FIELDS = ("name", "driver_version", "memory.total", "clocks.sm", "clocks.mem", "clocks.max.sm", "temperature.gpu")


def machine() -> dict[str, Any]:
    """Where and when this runs, and which commit."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [x.split(":")[1].strip() for x in lines if x.startswith("model name")] or [platform.processor()]
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _answer("git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"),
        "cpu": names[0],
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def gpu() -> dict[str, str]:
    """What nvidia-smi says of the first GPU now; nothing without one."""
    line = _answer("nvidia-smi", f"--query-gpu={','.join(GPU_FIELDS)}", "--format=csv,noheader", "--id=0")
    values = [value.strip() for value in line.split(",")]
    return dict(zip(GPU_FIELDS, values, strict=True)) if len(values) == len(GPU_FIELDS) else {}


def versions(*packages: str) -> dict[str, str | None]:
    """Of packages; None for what is not installed."""
    found: dict[str, str | None] = dict.fromkeys(packages)
    for package in packages:
        try:
            found[package] = importlib.metadata.version(DISTRIBUTIONS.get(package, package))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _answer(*command: str) -> str:
    """What a program prints; "" if it is not there, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


class OtherLoad:
    """The share of the cores' time that went to other processes than this and its ended children, since it was made."""

    def __init__(self) -> None:
        self._start, self._busy = time.perf_counter(), _busy_elsewhere()

    def share(self) -> float:
        core_seconds = (time.perf_counter() - self._start) * (os.cpu_count() or 1)
        return (_busy_elsewhere() - self._busy) / core_seconds


def _busy_elsewhere() -> float:
    """Seconds of CPU time."""
    ticks = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    idle, waiting = ticks[3], ticks[4]
    return (sum(ticks[:8]) - idle - waiting) / os.sysconf("SC_CLK_TCK") - sum(u.ru_utime + u.ru_stime for u in used)

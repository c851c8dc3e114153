"""How many cores a process may use: those it may run on, and no more than its container's quota of their time."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def usable_cores(root: Path = Path("/")) -> int:
    """At least 1. root: where proc/ and sys/ are, for tests."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = min(_quotas(root), default=math.inf)
    return max(1, min(cores, math.ceil(quota))) if quota < cores else cores


def _quotas(root: Path) -> Iterator[float]:
    """The quotas of the process's control group and of those around it, in cores (cgroups(7), versions 1 and 2)."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        version2 = not controllers
        if not version2 and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" if version2 else root / "sys/fs/cgroup/cpu"
        for at in (PurePosixPath(group), *PurePosixPath(group).parents):
            folder = mount / at.relative_to("/")
            if version2:
                quota, _, period = _text(folder / "cpu.max").partition(" ")
            else:
                quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
            if quota.strip().isdigit() and period.strip().isdigit() and int(period) > 0:
                yield int(quota) / int(period)


def _text(path: Path) -> str:
    """Empty if it cannot be read: then no quota is known."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""

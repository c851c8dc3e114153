"""The Triton kernels as compiled, run without a GPU: right bits, and no access out of bounds or out of order.

Triton's interpreter shows what the kernels say; this shows what the compiler has made of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from support.paths import TESTS

FAULTS = ("races", "races-of-programs", "missing-barriers", "out-of-bounds", "misaligned", "fusion")
USUAL = ("breaking", "random", "untruncated", "slow", "slow-changed", "guesses", "groups", "kinds", "full")
SEARCHES = ("searches", "searches-whole", "searches-wide", "searches-breaking")
ELSEWHERE = ("breaking", "slow-changed", "searches-breaking")  # on architectures with other instructions
# Two processes, which take about as long.
RUNS = (
    [(90, FAULTS + USUAL + SEARCHES)],
    [(90, ("other", "other-untruncated")), (80, ELSEWHERE), (100, ELSEWHERE)],
)
CASES = [(arch, case) for run in RUNS for arch, cases in run for case in cases]
Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def lines() -> Lines:
    environment = os.environ | {"TRITON_INTERPRET": "0"}
    command = [sys.executable, "-m", "ptx.cases"]
    arguments = [[f"{arch}:{','.join(cases)}" for arch, cases in run] for run in RUNS]
    processes = [
        subprocess.Popen([*command, *several], cwd=TESTS, env=environment, stdout=subprocess.PIPE)
        for several in arguments
    ]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [json.loads(line) for output in outputs for line in output.splitlines()]


@pytest.mark.parametrize(("arch", "case"), CASES)
def test_compiled_kernels_equal_the_reference(lines: Lines, arch: int, case: str) -> None:
    (error,) = [line["error"] for line in lines if line.get("case") == case and line["arch"] == arch]
    assert error is None, error


def test_most_of_the_code_was_run(lines: Lines) -> None:
    """What was not is mostly loops that only longer rows, or more candidates, enter."""
    shares = [(line["executed"], line["kernel"]) for line in lines if "kernel" in line and line["arch"] == 90]
    assert min(shares)[0] > 0.5, min(shares)
    assert sorted(share for share, _ in shares)[len(shares) // 2] > 0.95

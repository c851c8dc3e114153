"""The Triton kernels as compiled, run without a GPU: right bits, and no access out of bounds or out of order.

Triton's interpreter shows what the kernels say; this shows what the compiler has made of them.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from support.marks import slow
from support.paths import TESTS

FAULTS = ("races", "races-of-programs", "missing-barriers", "out-of-bounds", "misaligned", "fusion")
USUAL = ("breaking", "random", "untruncated", "slow", "slow-changed", "guesses", "groups", "kinds", "full")
OTHER = ("other", "other-untruncated")
SEARCHES = ("searches", "searches-whole", "searches-wide", "searches-breaking")
ELSEWHERE = ("breaking", "slow-changed", "searches-breaking")  # on architectures with other instructions
QUICK = [(90, case) for case in (*FAULTS, "slow-changed", "searches-breaking")]  # of what test_compile.py compiles
CASES = QUICK + [(90, case) for case in USUAL + OTHER + SEARCHES if (90, case) not in QUICK]
CASES += [(arch, case) for arch in (80, 100) for case in ELSEWHERE]
Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def lines_of(everything: bool) -> Callable[[int], Lines]:
    """By the architecture, from a process for each."""

    def run(arch: int) -> Lines:
        cases = [case for of, case in (CASES if everything else QUICK) if of == arch]
        command = [sys.executable, "-m", "ptx.cases", f"{arch}:{','.join(cases)}"]
        environment = os.environ | {"TRITON_INTERPRET": "0"}
        done = subprocess.run(command, cwd=TESTS, env=environment, stdout=subprocess.PIPE, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return functools.cache(run)


@pytest.mark.parametrize(("arch", "case"), [*QUICK, *slow(*CASES[len(QUICK) :])])
def test_compiled_kernels_equal_the_reference(lines_of: Callable[[int], Lines], arch: int, case: str) -> None:
    (error,) = [line["error"] for line in lines_of(arch) if line.get("case") == case]
    assert error is None, error


@pytest.mark.slow
@pytest.mark.parametrize("arch", [90])
def test_most_of_the_code_was_run(lines_of: Callable[[int], Lines], arch: int) -> None:
    """What was not is mostly loops that only longer rows, or more candidates, enter."""
    shares = [(line["executed"], line["kernel"]) for line in lines_of(arch) if "kernel" in line]
    assert min(shares)[0] > 0.5, min(shares)
    assert sorted(share for share, _ in shares)[len(shares) // 2] > 0.95

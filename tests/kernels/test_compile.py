"""The Triton kernels, compiled ahead of time: nothing is spilled, fused or flushed, on three architectures.

Without --all: one variant of each kernel, on one architecture.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from support.marks import slow
from support.paths import TESTS

ARCHITECTURES = (90, *slow(80, 100))
KERNELS = {"sweep", "choose", "split", "finish", "tops", "beam_bounds", "beam_rows"}
# With and without mask or edits: 4 of sweep, 4 of choose, 2 each of split and finish; and tops.
# Of the beam step's: one, and one for each size of sort. Of sweep and split, those for two more dtypes.
VARIANTS = 13 + 5 + 2 * 6
Reports = list[dict[str, Any]]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def lines(request: pytest.FixtureRequest, everything: bool) -> Reports:
    """From a process of its own: Triton cannot interpret and compile in one."""
    command = [sys.executable, "-m", "support.kernels_compile", str(request.param), *["all"] * everything]
    environment = os.environ | {"TRITON_INTERPRET": "0"}
    done = subprocess.run(command, cwd=TESTS, env=environment, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def reports(lines: Reports) -> Reports:
    return [line for line in lines if "kernel" in line]


def named(report: dict[str, Any]) -> str:
    return f"{report['kernel']} {report['dtype']} {report['variant']} sm_{report['arch']}"


def test_every_kernel_compiles(reports: Reports, everything: bool) -> None:
    assert {report["kernel"] for report in reports} == KERNELS
    assert len(reports) == (VARIANTS if everything else len(KERNELS))


def test_nothing_is_spilled(reports: Reports) -> None:
    assert [named(report) for report in reports if report["local_memory"]] == []


def test_nothing_is_fused(reports: Reports) -> None:
    """Of float32: a float64 division has fused steps within and is rounded once."""
    assert {named(report): report["fused"] for report in reports if report["fused"]} == {}


def test_nothing_is_flushed_or_approximate(reports: Reports) -> None:
    """But the model's probability where no exact masses of it are summed, which `sweep` sums by exp2 of the GPU."""
    for report in reports:
        allowed = ["ex2.approx.ftz.f32"] if report["kernel"] == "sweep" else []
        assert set(report["loose"]) <= set(allowed), named(report)


def test_logits_are_read_sixteen_bytes_at_a_time(reports: Reports) -> None:
    for report in reports:
        if report["kernel"] in ("sweep", "split"):
            elements, width = 1024 // (32 * report["warps"]), 4 if report["dtype"] == "fp32" else 8
            assert report["wide_loads"] >= elements // width, named(report)


def test_a_mass_takes_at_most_twenty_instructions(lines: Reports) -> None:
    (slots,) = [line["slots_per_mass"] for line in lines if "slots_per_mass" in line]
    assert slots <= 20

"""The units of the vector widths share no code: the linker would keep one copy, of instructions that may be missing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from support.paths import ROOT

COMPILER = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
FLAGS = {
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma", "-mf16c"],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
}

pytestmark = [
    pytest.mark.skipif(COMPILER is None or shutil.which("nm") is None, reason="needs a C++ compiler and nm"),
    pytest.mark.skipif(platform.machine() not in ("x86_64", "amd64"), reason="other machines have one unit"),
]


def shared_symbols(source: Path, width: str, tmp_path: Path) -> list[str]:
    """Definitions of the unit that a linker may replace by another unit's of the same name."""
    unit = tmp_path / "unit.o"
    # Unoptimised, so that no such function hides by being inlined. Kernels throw nothing.
    flags = ["-std=c++20", "-O0", "-fno-exceptions", "-ffp-contract=off", f"-I{ROOT / 'csrc'}", *FLAGS.get(width, [])]
    subprocess.run([COMPILER, *flags, "-c", str(source), "-o", str(unit)], check=True)
    lines = subprocess.run(
        ["nm", "--defined-only", unit], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    symbols = [line.split()[-2:] for line in lines]
    own = f"genlib{len(width)}{width}"  # the mangled namespace
    return [name for kind, name in symbols if kind in "WVuw" and own not in name]


@pytest.mark.parametrize("width", ["avx512", "avx2", "baseline"])
def test_a_unit_shares_no_function(width, tmp_path):
    assert shared_symbols(ROOT / "csrc" / "cpu" / "widths" / f"{width}.cpp", width, tmp_path) == []


def test_a_template_of_the_standard_library_would_be_found(tmp_path):
    source = tmp_path / "probe.cpp"
    source.write_text("#include <algorithm>\nint largest(int a, int b) { return std::max(a, b); }\n")
    assert shared_symbols(source, "avx2", tmp_path) != []

"""The sampler's random draws: known answers, distribution, independence; and that no compiler fuses its arithmetic.

Seeds are fixed, so nothing here can flake. Thresholds are z = 4.75: a right sampler, given other seeds, would
pass each with odds of a million to one.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from helpers_sampling import Case, adversarial_rows, params_of, run, widths

from genlib.ops import reference_mass as reference
from genlib.ops import reference_sampling
from genlib.ops.base import Drawn, RowParams

Floats = npt.NDArray[Any]
Z_LIMIT = 4.75
ROOT = Path(__file__).resolve().parents[1]
# As published with Random123: counter, key, words.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_philox_known_answers(
    counter: tuple[int, int, int, int], key: tuple[int, int], words: tuple[int, int, int, int]
) -> None:
    assert reference.philox(key, counter) == words


def test_where_a_draw_s_numbers_go() -> None:
    counter, key, words = KNOWN_ANSWERS[2]
    seed, position, stream = key[1] << 32 | key[0], counter[1] << 32 | counter[0], counter[3] << 32 | counter[2]
    assert reference.random_word(seed, stream, position) == words[1] << 32 | words[0]
    # In C++: 2^20 equal tokens show the upper 20 bits of the word.
    V = 1 << 20
    ends = [(0, 0, 0), (2**64 - 1, 2**64 - 1, 2**63 - 1), (seed, stream, position & (2**63 - 1))]
    ends += [(1, 0, 0), (1 << 32, 0, 0), (0, 1, 0), (0, 1 << 32, 0), (0, 0, 1), (0, 0, 1 << 32)]
    params = params_of([Case(seed=a, stream=b, position=c) for a, b, c in ends], V)
    logits = np.broadcast_to(np.zeros(V, np.float32), (len(ends), V))
    expected = [reference.random_word(*end) >> 44 for end in ends]
    for width in widths():
        assert run(width, logits, params).token.tolist() == expected


@pytest.mark.parametrize(("word", "token"), [(0, 1), (1 << 63, 4), ((1 << 63) - 1, 1), (2**64 - 1, 4)])
def test_the_ends_of_the_random_word(word: int, token: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two equal tokens with masses, between tokens without."""
    monkeypatch.setattr(reference_sampling, "random_word", lambda *_: word)
    logits = np.array([[-1e9, 0, -1e9, -np.inf, 0, -1e9]], np.float32)
    assert run("reference", logits, params_of([Case()], 6)).token[0] == token


def many(row: Floats, case: Case, n: int, **columns: Any) -> Drawn:
    """n draws from one row by the widest vectors: at positions 0 to n - 1, or with the given columns."""
    one = params_of([case], len(row))
    all_columns = {name: np.repeat(getattr(one, name), n) for name in RowParams.__dataclass_fields__ if name != "masks"}
    all_columns |= {"position": np.arange(n, dtype=np.int64)} | columns
    logits = np.broadcast_to(row, (n, len(row)))
    return run(widths()[0], logits, RowParams(**all_columns, masks=one.masks))


def chi_squared_z(observed: Floats, expected: Floats, is_g: bool = False) -> float:
    """Wilson and Hilferty's normal score of Pearson's or the G statistic, cells pooled to at least 10 expected."""
    order = np.argsort(expected)
    cells = np.cumsum(expected[order]) // 10
    cells = np.unique(cells, return_inverse=True)[1]
    o, e = np.bincount(cells, observed[order]), np.bincount(cells, expected[order])
    if e[0] < 10:
        o, e = np.append(o[2:], o[:2].sum()), np.append(e[2:], e[:2].sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        g = 2 * np.sum(np.where(o > 0, o * np.log(o / e), 0))
    statistic, df = g if is_g else np.sum((o - e) ** 2 / e), len(o) - 1
    return float(((statistic / df) ** (1 / 3) - (1 - 2 / (9 * df))) / np.sqrt(2 / (9 * df)))


@pytest.mark.parametrize(
    ("name", "V", "case"),
    [
        ("normal", 997, Case(temperature=0.8, seed=1)),
        ("wide", 997, Case(seed=2)),
        ("zipf shuffled", 997, Case(seed=5)),
        ("normal", 211, Case(temperature=0.8, top_p=0.9, seed=3)),
        ("wide", 211, Case(temperature=1.5, top_k=100, top_p=0.95, min_p=0.01, seed=4)),
    ],
)
def test_draws_follow_the_softmax(name: str, V: int, case: Case) -> None:
    """G-test on a million draws, against a softmax in float64 of the kept tokens."""
    n = 1_000_000
    row = adversarial_rows(V, np.random.default_rng(7))[name]
    out = many(row, case, n)
    observed = np.bincount(out.token, minlength=V).astype(np.float64)
    x = row.astype(np.float64) / case.temperature
    kept = np.isin(np.arange(V), np.argsort(-row, kind="stable")[: out.num_kept[0]])
    weight = np.where(kept, np.exp(x - x.max()), 0)
    assert observed[~kept].sum() == 0
    assert abs(chi_squared_z(observed[kept], n * (weight / weight.sum())[kept], is_g=True)) < Z_LIMIT


@pytest.mark.parametrize("gap", [14, 16, 18, 20])
def test_far_tails_are_drawn_as_often_as_they_should(gap: int) -> None:
    """One head over a flat tail: where random numbers of 24 or 32 bits fail."""
    V, n = 8192, 400_000
    row = np.zeros(V, np.float32)
    row[5] = gap
    tail = (V - 1) * np.exp(-float(gap))
    expected = n * tail / (1 + tail)
    drawn = np.count_nonzero(many(row, Case(seed=gap), n).token != 5)
    # The sum of the square roots makes a Poisson count normal: sd of sqrt(x) is 1/2.
    assert abs(2 * (np.sqrt(drawn + 0.375) - np.sqrt(expected + 0.125))) < Z_LIMIT


@pytest.mark.parametrize("what", ["seed", "position", "stream"])
@pytest.mark.parametrize("step", [1, 1 << 32])
def test_neighbours_are_independent(what: str, step: int) -> None:
    """Chi-squared over the pairs of draws from sixteen equal tokens at neighbouring seeds, positions, streams."""
    n, V = 200_000, 16
    at = np.arange(n, dtype=np.uint64) * np.uint64(2 if step == 1 else 1)
    kind = np.int64 if what == "position" else np.uint64
    row, fixed = np.zeros(V, np.float32), np.full(n, 11, np.int64)
    first, second = (
        many(row, Case(), n, **({"position": fixed} | {what: (at + np.uint64(shift)).astype(kind)})).token
        for shift in (0, step)
    )
    pairs = np.bincount(first * V + second, minlength=V * V).astype(np.float64)
    assert abs(chi_squared_z(pairs, np.full(V * V, n / V**2))) < Z_LIMIT


FUSED = re.compile(r"\bvf(n?m(add|sub)|madd|msub)\w*[sp][sd]\b")
VECTOR_FLAGS = {
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma", "-mf16c", "-mprefer-vector-width=512"],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
}


def instructions(source: str, flags: list[str], folder: Path) -> str:
    (folder / "unit.cpp").write_text(source)
    command = ["g++", "-std=c++20", "-O3", "-fno-math-errno", "-I", str(ROOT / "csrc"), *flags, "-c", "unit.cpp"]
    subprocess.run(command, cwd=folder, check=True)
    return subprocess.run(["objdump", "-d", "unit.o"], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(not (shutil.which("g++") and shutil.which("objdump")), reason="needs g++ and objdump")
@pytest.mark.skipif("avx2" not in widths(), reason="needs an x86-64 compiler")
@pytest.mark.parametrize("width", VECTOR_FLAGS)
def test_the_object_code_holds_no_fused_multiply_add(width: str, tmp_path: Path) -> None:
    flags = VECTOR_FLAGS[width]
    assert FUSED.search(instructions("float f(float a, float b, float c) { return a * b + c; }", flags, tmp_path))
    unit = f"""
        #define GENLIB_WIDTH {width}
        #include "cpu/simd.h"
        #include "cpu/sampling.inc.h"
        auto sampler = &genlib::{width}::sample_rows;"""
    code = instructions(unit, [*flags, "-ffp-contract=off"], tmp_path)
    assert re.search(r"\bvmulps\b", code)
    assert not FUSED.search(code)

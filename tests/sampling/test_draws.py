"""The sampler's random draws: known answers, distribution, independence; and that no compiler fuses its arithmetic.

Seeds are fixed, so nothing here can flake. Thresholds are z = 4.75: a right sampler, given other seeds, would
pass each with odds of a million to one.

Apart from the tests of the sampler's bits, because the sanitizers learn nothing from millions of equal rows.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.paths import ROOT
from support.random import Z_LIMIT, Floats, chi_squared_z
from support.sampling import WIDTHS, Case, adversarial_rows, params_of, run

from genlib.ops import reference_mass as reference
from genlib.ops import reference_sampling
from genlib.ops.buffers import RowParams, SamplerOutput

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
    for width in WIDTHS:
        assert run(width, logits, params).token.tolist() == expected


@pytest.mark.parametrize(("word", "token"), [(0, 1), (1 << 63, 4), ((1 << 63) - 1, 1), (2**64 - 1, 4)])
def test_the_ends_of_the_random_word(word: int, token: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two equal tokens with masses, between tokens without."""
    monkeypatch.setattr(reference_sampling, "random_word", lambda *_: word)
    logits = np.array([[-1e9, 0, -1e9, -np.inf, 0, -1e9]], np.float32)
    assert run("reference", logits, params_of([Case()], 6)).token[0] == token


def many(row: Floats, case: Case, n: int, **columns: Any) -> SamplerOutput:
    """n draws from one row by the widest vectors: at positions 0 to n - 1, or with the given columns."""
    one = params_of([case], len(row))
    shared = {name: getattr(one, name) for name in ("masks", "edit_token", "edit_bias", "edit_seen")}
    names = RowParams.__dataclass_fields__.keys() - shared.keys()
    all_columns = {name: np.repeat(getattr(one, name), n) for name in names}
    all_columns |= {"position": np.arange(n, dtype=np.int64)} | columns
    logits = np.broadcast_to(row, (n, len(row)))
    return run(WIDTHS[0], logits, RowParams(**all_columns, **shared))


@pytest.mark.parametrize(
    ("name", "V", "case"),
    [
        ("normal", 997, Case(temperature=0.8, seed=1)),
        ("wide", 211, Case(seed=2)),
        ("zipf shuffled", 211, Case(seed=5)),
        ("normal", 211, Case(temperature=0.8, top_p=0.9, seed=3)),
        ("wide", 101, Case(temperature=1.5, top_k=60, top_p=0.95, min_p=0.01, seed=4)),
        ("normal", 53, Case(bias={3: 2.0, 7: -1.0}, seen={3: 2, 11: 0}, presence=0.5, repetition=1.3, seed=6)),
    ],
)
def test_draws_follow_the_softmax(name: str, V: int, case: Case) -> None:
    """G-test on 1.8 million draws, eleven million in all, against a softmax in float64 of the kept tokens."""
    chunk, chunks = 200_000, 9
    row = adversarial_rows(V, np.random.default_rng(7))[name]
    observed = np.zeros(V)
    for i in range(chunks):
        out = many(row, case, chunk, position=np.arange(chunk, dtype=np.int64) + i * chunk)
        observed += np.bincount(out.token, minlength=V)
    z = reference_sampling.processed(row, reference_sampling.row_of(params_of([case], V), 0, V))
    x = z.astype(np.float64) / case.temperature
    kept = np.isin(np.arange(V), np.argsort(-z, kind="stable")[: out.num_kept[0]])
    weight = np.where(kept, np.exp(x - x.max()), 0)
    assert observed[~kept].sum() == 0
    expected = chunk * chunks * (weight / weight.sum())[kept]
    assert abs(chi_squared_z(observed[kept], expected, is_g=True)) < Z_LIMIT


INDEPENDENT = {
    "next seeds": ({"seed": 0}, {"seed": 1}),
    "next streams": ({"stream": 0}, {"stream": 1}),
    "next positions": ({"position": 0}, {"position": 1}),
    "upper halves of seeds": ({"seed": 0}, {"seed": 1 << 32}),
    "upper halves of streams": ({"stream": 0}, {"stream": 1 << 32}),
    "upper halves of positions": ({"position": 0}, {"position": 1 << 32}),
    "seed and stream exchanged": ({"seed": 0, "stream": 7}, {"seed": 7, "stream": 0}),
    "stream and position exchanged": ({"stream": 0, "position": 7}, {"stream": 7, "position": 0}),
    "last bits of seed and position": ({"seed": 0, "position": 1}, {"seed": 1, "position": 0}),
}


@pytest.mark.parametrize("pair", INDEPENDENT)
def test_neighbours_are_independent(pair: str) -> None:
    """Chi-squared over the pairs of draws from sixteen equal tokens, of two families that share no draw: even numbers,
    each with a constant added."""
    n, V = 200_000, 16
    even = 2 * np.arange(n, dtype=np.uint64)
    row = np.zeros(V, np.float32)
    tokens = []
    for family in INDEPENDENT[pair]:
        columns = {"position": np.full(n, 11, np.int64)}
        for name, added in family.items():
            columns[name] = (even + np.uint64(added)).astype(np.int64 if name == "position" else np.uint64)
        tokens.append(many(row, Case(), n, **columns).token)
    pairs = np.bincount(tokens[0] * V + tokens[1], minlength=V * V).astype(np.float64)
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
@pytest.mark.skipif("avx2" not in WIDTHS, reason="needs an x86-64 compiler")
@pytest.mark.parametrize("width", VECTOR_FLAGS)
def test_the_object_code_holds_no_fused_multiply_add(width: str, tmp_path: Path) -> None:
    flags = VECTOR_FLAGS[width]
    assert FUSED.search(instructions("float f(float a, float b, float c) { return a * b + c; }", flags, tmp_path))
    unit = f"""
        #define GENLIB_WIDTH {width}
        #include "cpu/simd.h"
        #include "cpu/sampling/draw.inc.h"
        auto sampler = &genlib::{width}::sample_rows;"""
    code = instructions(unit, [*flags, "-ffp-contract=off"], tmp_path)
    assert re.search(r"\bvmulps\b", code)
    assert not FUSED.search(code)

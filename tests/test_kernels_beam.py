"""The Triton beam step equals the reference, in Triton's interpreter: whole searches, each of its paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from genlib.kernels import beam_choice, beam_scan
from helpers_beam import Search, begin
from helpers_kernels import IS_INTERPRETED
from helpers_kernels_beam import BeamKernels
from helpers_sampling import adversarial_rows

pytestmark = pytest.mark.skipif(not IS_INTERPRETED, reason="Triton compiles in this process")

STOPS = ((), (b"abc",), (b"aa", b"ba", b"cab"), (b"d",))
KINDS = ("normal", "coarse", "equal", "few finite", "near", "peaked")


def random_search(rng: np.random.Generator, most_beams: int = 6) -> Search:
    return Search(
        num_beams=int(rng.integers(1, most_beams + 1)),
        max_length=int(rng.integers(1, 7)),
        early_stopping=[False, True, "never"][rng.integers(3)],
        length_penalty=float(rng.choice([-1.0, 0.0, 0.5, 1.0, 2.0])),
        stops=STOPS[rng.integers(len(STOPS))],
    )


def random_logits(rng: np.random.Generator, rows: int, V: int, kind: str) -> Any:
    logits = (rng.standard_normal((rows, V)) * 3).astype(np.float32)
    if kind == "coarse":
        return np.round(logits)
    if kind == "equal":
        return np.zeros_like(logits)
    if kind == "few finite":
        logits[rng.random(logits.shape) < 0.95] = -np.inf
        logits[rng.random(logits.shape) < 0.05] = np.nan
    if kind == "near":
        return np.nextafter(np.float32(1), rng.choice([-9, 9], logits.shape).astype(np.float32))
    if kind == "peaked":
        logits[:, rng.integers(V)] = 200
    return logits


def narrowed(logits: Any, dtype: Any) -> Any:
    """Cut to bfloat16 (uint16) or rounded to float16."""
    if dtype is np.uint16:
        return (logits.view(np.uint32) >> 16).astype(np.uint16)
    return logits.astype(dtype)


def search_all(kernels: BeamKernels, rng: np.random.Generator, V: int, kind: str, dtype: Any = np.float32) -> None:
    """All searches to their end, in any order, with rows of none between."""
    for _ in range(20):
        if not (slots := kernels.going()):
            return
        order = rng.permutation(slots).tolist()
        rows = int(kernels.expected.num_beams[order].sum()) + int(rng.integers(3))
        kernels.step(narrowed(random_logits(rng, rows, V, kind), dtype), order)


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each search that takes the slow way."""
    calls: list[int] = []

    def scan_rows(*args: Any) -> None:
        calls.append(1)
        beam_scan.scan_rows(*args)

    monkeypatch.setattr(beam_choice, "scan_rows", scan_rows)
    return calls


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("V", [2, 17, 700])
def test_searches_equal_the_reference(V: int, kind: str) -> None:
    rng = np.random.default_rng([V, KINDS.index(kind)])
    eos_ids = [frozenset[int](), frozenset({1}), frozenset({0, 1})][rng.integers(3)]
    searches = [random_search(rng) for _ in range(2)]
    kernels = BeamKernels(begin(searches, V, eos_ids), 20)
    search_all(kernels, rng, V, kind)
    assert not kernels.going()

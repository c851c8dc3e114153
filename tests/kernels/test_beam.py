"""The Triton beam step equals the reference, in Triton's interpreter: whole searches, each of its paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from genlib.kernels.beam import choice, device, scan
from genlib.kernels.row import sizes
from support.beam import Search, begin, random_logits
from support.kernels import IS_INTERPRETED
from support.kernels_beam import KINDS, STOPS, BeamKernels, random_search, search_all
from support.marks import slow
from support.sampling import adversarial_rows

pytestmark = pytest.mark.skipif(not IS_INTERPRETED, reason="Triton compiles in this process")


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each search that takes the slow way."""
    calls: list[int] = []

    def scan_rows(*args: Any) -> None:
        calls.append(1)
        scan.scan_rows(*args)

    monkeypatch.setattr(choice, "scan_rows", scan_rows)
    return calls


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("V", [2, 17, 300])
def test_searches_equal_the_reference(V: int, kind: str) -> None:
    rng = np.random.default_rng([V, KINDS.index(kind)])
    eos_ids = [frozenset[int](), frozenset({1}), frozenset({0, 1})][rng.integers(3)]
    searches = [random_search(rng) for _ in range(2)]
    kernels = BeamKernels(begin(searches, V, eos_ids), 20)
    search_all(kernels, rng, V, kind)
    assert not kernels.going()


@pytest.mark.parametrize("dtype", [np.uint16, *slow(np.float16)])
def test_narrow_logits(dtype: Any) -> None:
    rng, V = np.random.default_rng(3), 1500
    for kind in ("normal", "near", "few finite"):
        kernels = BeamKernels(begin([Search(3, 2), random_search(rng, 3)], V, frozenset({7})), 8)
        search_all(kernels, rng, V, kind, dtype)


@pytest.mark.parametrize("V", [3, 1021, 2051])
def test_rows_that_break_samplers(V: int) -> None:
    """Three beams with three of them, after one step; a row without a finite logit, or with +inf, ends its search."""
    rng = np.random.default_rng(V)
    rows = adversarial_rows(V, rng) | {"far": rng.choice(np.array([-3e38, 0, 3e38], np.float32), V)}
    names = rng.permutation([*rows, "normal", "wide"]).tolist()
    assert len(names) % 3 == 0
    for i in range(0, len(names), 3):
        kernels = BeamKernels(begin([Search(3, 4)], V, frozenset()), 3)
        kernels.step(rng.standard_normal((3, V)).astype(np.float32), [1])
        kernels.step(np.stack([rows[name] for name in names[i : i + 3]]), [1])


def test_a_row_alone_breaks_nothing_either() -> None:
    rng, V = np.random.default_rng(4), 70
    for row in adversarial_rows(V, rng).values():
        kernels = BeamKernels(begin([Search(1, 2)], V, frozenset({1})), 1)
        kernels.step(row[None], [1])


def test_lists_hold_the_candidates_of_usual_rows(scans: list[int]) -> None:
    """From the first step on, when all beams but one have −1e9; wide ones too, and with logits of 16 bits."""
    rng, V = np.random.default_rng(5), 9001
    for search, eos_ids, dtype in (
        (Search(4, 3), {5}, np.float32),
        (Search(6, 2, stops=STOPS[1]), set(), np.uint16),
        (Search(20, 1), {1, 2, 3}, np.float32),
    ):
        kernels = BeamKernels(begin([search], V, frozenset(eos_ids)), search.num_beams + 2)
        search_all(kernels, rng, V, "normal", dtype)
    assert scans == []


def test_rows_of_which_too_much_is_equal_are_read_whole(scans: list[int]) -> None:
    """Too many vectors for a row's list, or too many tokens for the search's."""
    rng, V = np.random.default_rng(6), 4200
    flat = np.zeros((2, V), np.float32)
    clustered = rng.standard_normal((2, V)).astype(np.float32)
    clustered[:, 100:800] = 9
    for i, logits in enumerate((flat, clustered, np.where(rng.random((2, V)) < 0.3, np.float32(2), flat))):
        kernels = BeamKernels(begin([Search(2, 3)], V, frozenset({2})), 2)
        kernels.step(logits, [1])
        kernels.step(logits, [1])
        assert len(scans) > i
        assert kernels.work.num_listed[0] > (sizes.LISTED if logits is flat else 0)


def test_ties_of_scores_go_to_the_lower_lane_then_to_the_lower_token(scans: list[int]) -> None:
    """Also between unequal logits: the sum is so large that scores cannot tell them apart."""
    rng, V = np.random.default_rng(7), 1100
    for total in (-1e4, -1e6, -1e8):
        kernels = BeamKernels(begin([Search(3, 4)], V, frozenset({1})), 3)
        for s in (kernels.expected, kernels.mine):
            s.score[s.lane[1] : s.lane[1] + 3] = total
        for _ in range(3):
            kernels.step(rng.standard_normal((3, V)).astype(np.float32), [1])
    assert scans, "some of these lists end among equal scores"


@pytest.mark.parametrize("far", [-np.inf, np.nan, -3e38])
@pytest.mark.parametrize("V", [2, 5, 900])
def test_fewer_scores_than_candidates_are_filled_up_by_lane_and_token(V: int, far: float, scans: list[int]) -> None:
    """As behind a mask that allows few tokens. From 3e38 to −3e38 is farther than a float32: no score either.

    All tokens with a score end the text, so whether the search goes on is up to the others.
    """
    kernels = BeamKernels(begin([Search(3, 3, "never", stops=STOPS[2])], V, frozenset({0, 1})), 3)
    logits = np.full((3, V), far, np.float32)
    logits[range(3), [1, 0, 1]] = 3e38
    kernels.step(logits, [1])
    assert kernels.expected.done[1] == (V == 2)
    assert scans == []


def test_more_candidates_than_are_sorted_at_once() -> None:
    rng, V = np.random.default_rng(8), 250
    kernels = BeamKernels(begin([Search(40, 3), Search(2, 3)], V, frozenset({0, 3, 5})), 42)
    for _ in range(2):
        kernels.step(random_logits(rng, 42, V, "normal"), [1, 2])
        assert kernels.work.num_keys[0] > 2 ** device.log_size(kernels.tensors.most_candidates)


def test_a_bad_row_stops_its_search_and_no_other() -> None:
    rng, V = np.random.default_rng(9), 50
    for bad, status in ((np.inf, 2), (-np.inf, 1), (np.nan, 1)):
        kernels = BeamKernels(begin([Search(2, 5), Search(3, 5)], V, frozenset({1})), 5)
        logits = rng.standard_normal((5, V)).astype(np.float32)
        kernels.step(logits, [1, 2])
        logits[3, slice(None) if status == 1 else 7] = bad
        kernels.step(logits, [1, 2])
        assert kernels.expected.status[1:].tolist() == [0, status]
        kernels.step(logits[:2], [1], over=(2,))


def test_searches_that_are_over_are_passed_over() -> None:
    """Wherever their rows lie; nothing of them changes."""
    rng, V = np.random.default_rng(10), 60
    kernels = BeamKernels(begin([Search(2, 2), Search(3, 6, stops=STOPS[2]), Search(1, 4)], V, frozenset({1})), 12)
    over: list[int] = []
    while slots := kernels.going():
        logits = rng.standard_normal((9, V)).astype(np.float32)
        kernels.step(logits, slots, over=tuple(over))
        over += [slot for slot in slots if kernels.expected.done[slot]]
    assert sorted(over) == [1, 2, 3]

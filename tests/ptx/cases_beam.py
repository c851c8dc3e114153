"""Beam steps whose kernels run as compiled PTX, beside the reference: for cases.py."""

from __future__ import annotations

import numpy as np
from support.beam import Search, begin, random_logits
from support.kernels_beam import KINDS, BeamKernels, narrowed, random_search, search_all


def searches() -> None:
    for i, kind in enumerate(KINDS):
        rng, V = np.random.default_rng([7, i]), (208, 1040, 4112)[i % 3]
        kernels = BeamKernels(begin([random_search(rng) for _ in range(2)], V, frozenset({1})), 20)
        search_all(kernels, rng, V, kind, np.uint16)
        assert not kernels.going()


def searches_read_whole() -> None:
    """Too much is equal for the lists."""
    rng, V = np.random.default_rng(8), 4208
    flat = np.zeros((2, V), np.float32)
    clustered = rng.standard_normal((2, V)).astype(np.float32)
    clustered[:, 100:800] = 9
    for logits in (flat, clustered, np.where(rng.random((2, V)) < 0.3, np.float32(2), flat)):
        kernels = BeamKernels(begin([Search(2, 3)], V, frozenset({2})), 2)
        for _ in range(2):
            kernels.step(narrowed(logits, np.uint16), [1])


def searches_wide() -> None:
    """Of each size of sort, and one with more candidates than are sorted at once."""
    for i, beams in enumerate((10, 20, 40)):
        rng, V = np.random.default_rng([10, i]), 208
        kernels = BeamKernels(begin([Search(beams, 3), Search(2, 3)], V, frozenset({0, 3})), beams + 2)
        for _ in range(2):
            kernels.step(narrowed(random_logits(rng, beams + 2, V, "normal"), np.uint16), [1, 2])


def searches_that_break() -> None:
    """A row with +inf, or with nothing, ends its search; others go on."""
    rng, V = np.random.default_rng(9), 208
    for bad in (np.inf, -np.inf):
        kernels = BeamKernels(begin([Search(2, 5), Search(3, 5)], V, frozenset({1})), 5)
        logits = rng.standard_normal((5, V)).astype(np.float32)
        kernels.step(narrowed(logits, np.uint16), [1, 2])
        logits[3] = bad
        kernels.step(narrowed(logits, np.uint16), [1, 2])
        kernels.step(narrowed(logits[:2], np.uint16), [1], over=(2,))


SEARCH_CASES = {
    "searches": searches,
    "searches-whole": searches_read_whole,
    "searches-wide": searches_wide,
    "searches-breaking": searches_that_break,
}

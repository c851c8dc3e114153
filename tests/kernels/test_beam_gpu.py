"""The Triton beam step on a GPU equals the reference, bit for bit: whole searches, alone, side by side and in a graph.

TRITON_INTERPRET=0 python -m pytest tests/kernels/test_beam_gpu.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from genlib.kernels import Search as TorchSearch
from genlib.kernels import beam_step, hypotheses, new_beam_workspace, new_searches, warm_up_beams
from support.beam import Search, begin, random_logits
from support.kernels import ON_GPU
from support.kernels_beam import KINDS, BeamKernels, random_search, search_all
from support.sampling import adversarial_rows

pytestmark = ON_GPU
FULL = 128256


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_random_searches(kind: str, dtype: Any) -> None:
    """Of up to 8 beams, so that one size is compiled."""
    rng = np.random.default_rng([KINDS.index(kind), np.dtype(dtype).itemsize])
    for V in (2, 16, 208, 4208, 20000):
        for _ in range(4):
            searches = [random_search(rng, min(8, V)) for _ in range(4)]
            kernels = BeamKernels(begin(searches, V, frozenset({1})), 40, "cuda")
            search_all(kernels, rng, V, kind, dtype)


@pytest.mark.parametrize("num_beams", [4, 16, 32])
def test_full_size(num_beams: int) -> None:
    rng = np.random.default_rng(num_beams)
    kernels = BeamKernels(begin([Search(num_beams, 4, stops=(b"ab",))], FULL, frozenset({5})), num_beams, "cuda")
    for kind in ("normal", "coarse", "peaked"):
        if slots := kernels.going():
            kernels.step(random_logits(rng, num_beams, FULL, kind, nothing=0.95), slots)


def test_rows_that_break_samplers() -> None:
    rng = np.random.default_rng(1)
    rows = list(adversarial_rows(FULL, rng).values())
    for i in range(0, len(rows) - 2, 3):
        kernels = BeamKernels(begin([Search(3, 4)], FULL, frozenset()), 3, "cuda")
        kernels.step(rng.standard_normal((3, FULL)).astype(np.float32), [1])
        kernels.step(np.stack(rows[i : i + 3]), [1])


def test_many_steps_race_for_nothing() -> None:
    """The same step a thousand times: whoever comes last, the bits are the same."""
    searches = new_searches([TorchSearch(num_beams=5)] * 40, vocabulary=20000, eos_ids=[1], device="cuda")
    begun = new_searches([TorchSearch(num_beams=5)] * 40, vocabulary=20000, eos_ids=[1], device="cuda")
    logits = torch.randn(5, 20000, device="cuda", generator=torch.Generator("cuda").manual_seed(1)).repeat(40, 1)
    workspace = new_beam_workspace(200, 20000, "cuda")
    first = None
    for _ in range(1000):
        searches.restart(begun)
        for _ in range(3):
            beam_step(logits, searches, workspace)
        got = torch.stack([searches.score, searches.token.float(), searches.parent.float()]).view(3, 40, 5)
        first = got if first is None else first
        assert torch.equal(got, first)
        assert torch.equal(got, got[:, :1].expand_as(got))


def test_a_graph_finds_what_the_cpu_finds() -> None:
    """Replayed beyond the end, and again for other searches."""
    V, specs = 512, [TorchSearch(num_beams=4, max_length=12), TorchSearch(num_beams=1, max_length=5), TorchSearch(6, 9)]
    table = (torch.randn(V, V, generator=torch.Generator().manual_seed(2)) * 2).to(torch.bfloat16)
    there = table.to("cuda")
    searches = new_searches(specs, vocabulary=V, eos_ids=[3], device="cuda")
    logits, workspace = there[[0] * 11], new_beam_workspace(11, V, "cuda")
    warm_up_beams("cuda", vocabulary=V, num_beams=6)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        beam_step(logits, searches, workspace)
        logits.copy_(there[searches.token])
    for start in (0, 7):
        expected = new_searches(specs, vocabulary=V, eos_ids=[3])
        rows = table[[start] * 11]
        searches.restart(new_searches(specs, vocabulary=V, eos_ids=[3], device="cuda"))
        logits.copy_(there[[start] * 11])
        for _ in range(15):
            graph.replay()
        while not expected.done.all():
            beam_step(rows, expected)
            rows = table[expected.token]
        assert hypotheses(searches) == hypotheses(expected)

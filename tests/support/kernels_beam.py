"""Beam steps by the Triton kernels, beside the specification. On CPU tensors they run in Triton's interpreter."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import torch
from genlib.kernels import Searches, new_beam_workspace
from genlib.kernels.beam import device as beam_device
from genlib.kernels.beam.workspace import BeamWork
from support.beam import Search, assert_same, copied, random_logits, set_live
from support.kernels import as_tensor

from genlib.ops import searches as contract
from genlib.ops.reference import ReferenceOps


def tensors_of(s: contract.SearchBuffers, place: str) -> Searches:
    """The same searches as tensors; on the CPU, in the same memory."""
    arrays = {field.name: getattr(s, field.name) for field in fields(contract.SearchBuffers)}
    past = [np.zeros((len(s.score), s.norms.shape[1] - 1), np.int32) for _ in range(2)]
    tensors = {name: torch.from_numpy(np.require(a, requirements="W")).to(place) for name, a in arrays.items()}
    tensors |= {"past_parent": torch.from_numpy(past[0]).to(place), "past_token": torch.from_numpy(past[1]).to(place)}
    return Searches(**tensors, most_candidates=int(s.num_candidates.max()))


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


def narrowed(logits: Any, dtype: Any) -> Any:
    """Cut to bfloat16 (uint16) or rounded to float16."""
    if dtype is np.uint16:
        return (logits.view(np.uint32) >> 16).astype(np.uint16)
    return logits.astype(dtype)


class BeamKernels:
    """Steps the reference and the kernels side by side, and compares all that they hold, bit for bit."""

    def __init__(self, s: contract.SearchBuffers, rows: int, place: str = "cpu") -> None:
        self.expected = s
        self.mine = copied(s)
        self.place = place
        self.tensors = tensors_of(self.mine, place)
        self.workspace = new_beam_workspace(rows, len(s.token_starts) - 1, place)
        self.work: BeamWork = self.workspace.work

    def going(self) -> list[int]:
        """The slots that still search."""
        s = self.expected
        return [slot for slot in np.flatnonzero(s.num_beams).tolist() if not s.done[slot] and not s.status[slot]]

    def step(self, logits: Any, slots: list[int], over: tuple[int, ...] = ()) -> None:
        """One step of these slots. over: slots that are done, which the kernels are to pass over."""
        set_live([*slots, *over], self.mine)
        for name in ("num_live", "live", "first_row"):
            getattr(self.tensors, name).copy_(torch.from_numpy(getattr(self.mine, name)))
        with np.errstate(all="ignore"):
            beam_device.run(as_tensor(logits, self.place), self.tensors, self.workspace)
        set_live([*slots, *over], self.expected)
        self.expected.num_live[0] = len(slots)
        ReferenceOps().beam_step(logits, self.expected)
        self.expected.num_live[0] += len(over)
        self.compare(slots)

    def compare(self, slots: list[int]) -> None:
        """Every field, and what was noted of the step."""
        s, t = self.expected, self.tensors
        if self.place != "cpu":
            for field in fields(contract.SearchBuffers):
                getattr(self.mine, field.name)[...] = getattr(t, field.name).cpu().numpy()
        assert_same(self.mine, s)
        for slot in slots:
            if s.status[slot] == 0:
                lanes = slice(int(s.lane[slot]), int(s.lane[slot] + s.num_beams[slot]))
                step = int(s.length[slot]) - 1
                assert t.past_parent[lanes, step].tolist() == s.parent[lanes].tolist()
                assert t.past_token[lanes, step].tolist() == s.token[lanes].tolist()


def search_all(kernels: BeamKernels, rng: np.random.Generator, V: int, kind: str, dtype: Any = np.float32) -> None:
    """All searches to their end, in any order, with rows of none between."""
    for _ in range(20):
        if not (slots := kernels.going()):
            return
        order = rng.permutation(slots).tolist()
        rows = int(kernels.expected.num_beams[order].sum()) + int(rng.integers(3))
        kernels.step(narrowed(random_logits(rng, rows, V, kind, nothing=0.95), dtype), order)

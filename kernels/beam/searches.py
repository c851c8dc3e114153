"""Beam searches on torch tensors: what they are, how far they are, and what they have found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from genlib.checks import check_int, check_token_ids, refuse
from genlib.ops.searches import NO_MATCH

from ..row.sizes import MAX_VOCABULARY
from .limits import CANDIDATES
from .search import Search
from .stops import automata_of, token_table

OUT = -1e9


@dataclass(frozen=True, slots=True)
class Searches:
    """B searches with S lanes, one for each beam. Search i has the lanes lane[i] to lane[i] + num_beams[i], and the
    rows of logits of the same numbers. All tensors are int32 unless said otherwise, on one device.

    After each step `token` [S] is what each beam goes on with, and `parent` [S] the beam that it came from, counted
    from 0 within its search. `done` and `status` [B] say which searches are over; those are passed over. The fields up
    to stop_ends are those of genlib.ops.searches.SearchBuffers, which describes them.
    """

    num_live: torch.Tensor
    live: torch.Tensor
    first_row: torch.Tensor
    lane: torch.Tensor
    num_beams: torch.Tensor
    num_candidates: torch.Tensor
    max_length: torch.Tensor
    stop_when_full: torch.Tensor
    bound_length: torch.Tensor
    norms: torch.Tensor  # float32
    length: torch.Tensor
    may_improve: torch.Tensor
    done: torch.Tensor
    status: torch.Tensor
    score: torch.Tensor  # float32
    stop_state: torch.Tensor
    parent: torch.Tensor
    token: torch.Tensor
    pool_score: torch.Tensor  # float32
    pool_length: torch.Tensor
    pool_parent: torch.Tensor
    pool_token: torch.Tensor
    pool_ended: torch.Tensor
    pool_match_end: torch.Tensor
    eos_ids: torch.Tensor
    token_bytes: torch.Tensor  # uint8
    token_starts: torch.Tensor  # int64
    stop_next: torch.Tensor  # uint16
    stop_ends: torch.Tensor  # uint8
    past_parent: torch.Tensor  # [S, longest max_length] parent in each step so far
    past_token: torch.Tensor  # [S, longest max_length] and token
    most_candidates: int  # of a search

    @property
    def num_rows(self) -> int:
        """S"""
        return int(self.score.shape[0])

    @property
    def vocabulary(self) -> int:
        """V"""
        return int(self.token_starts.shape[0]) - 1

    @property
    def device(self) -> torch.device:
        """Of all tensors."""
        return self.score.device

    def source_rows(self) -> torch.Tensor:
        """[S] int64: the row that each beam came from in the last step, by which a cache is reordered."""
        first = torch.repeat_interleave(self.lane.long(), self.num_beams, output_size=self.num_rows)
        return first + self.parent

    def restart(self, searches: Searches) -> None:
        """Copies others over these, for buffers that a captured graph keeps. InvalidRequest unless sizes are equal."""
        for field in fields(self):
            mine, other = getattr(self, field.name), getattr(searches, field.name)
            if getattr(mine, "shape", mine) != getattr(other, "shape", other):
                raise refuse("searches", f"be as many and as wide as those: `{field.name}` differs", other)
        for field in fields(self):
            if isinstance(mine := getattr(self, field.name), torch.Tensor):
                mine.copy_(getattr(searches, field.name))


def new_searches(
    searches: Sequence[Search],
    *,
    vocabulary: int,
    eos_ids: Sequence[int] = (),
    token_bytes: Sequence[bytes] | None = None,
    device: torch.device | str = "cpu",
) -> Searches:
    """Searches at their beginning, for logits of V columns.

    eos_ids: the tokens that end a text. token_bytes: the bytes of each token, which stop sequences need. A search has
    max(2, 1 + len(eos_ids)) · num_beams candidates, at most 512; with one beam it has one. Raises InvalidRequest that
    names the field.
    """
    check_int("vocabulary", vocabulary, 2, MAX_VOCABULARY)
    ends = sorted(set(check_token_ids("eos_ids", eos_ids)))
    if ends:
        check_int("eos_ids", ends[-1], 0, vocabulary - 1)
    is_list = isinstance(searches, Sequence) and all(isinstance(search, Search) for search in searches)
    if not is_list or not searches:
        raise refuse("searches", "be a list of `Search`, at least one", searches)
    each = max(2, 1 + len(ends))
    for i, search in enumerate(searches):
        check_int(f"searches[{i}].num_beams", search.num_beams, 1, CANDIDATES // each)
    stop_next, stop_ends, roots = automata_of(searches)
    spelled, starts = token_table(vocabulary, token_bytes, needed=len(stop_ends) > 1)
    columns = _columns(searches, each, roots) | {
        "eos_ids": np.array(ends, np.int32),
        "token_bytes": spelled,
        "token_starts": starts,
        "stop_next": stop_next,
        "stop_ends": stop_ends,
    }
    tensors = {name: torch.from_numpy(column).to(device) for name, column in columns.items()}
    return Searches(**tensors, most_candidates=int(columns["num_candidates"].max()))


def _columns(searches: Sequence[Search], each: int, roots: list[int]) -> dict[str, np.ndarray]:
    """All fields but the constants. roots: the state of the automata in which each search begins."""
    B, beams = len(searches), np.array([search.num_beams for search in searches], np.int32)
    S, longest = int(beams.sum()), max(search.max_length for search in searches)
    lane = (np.cumsum(beams) - beams).astype(np.int32)
    score = np.full(S, OUT, np.float32)
    score[lane] = 0
    slots = ("length", "done", "status")
    lanes = ("parent", "token", "pool_length", "pool_parent", "pool_token", "pool_ended")
    return {
        **{name: np.zeros(B, np.int32) for name in slots},
        **{name: np.zeros(S, np.int32) for name in lanes},
        "num_live": np.array([B], np.int32),
        "live": np.arange(B, dtype=np.int32),
        "first_row": lane.copy(),
        "lane": lane,
        "num_beams": beams,
        "num_candidates": np.where(beams == 1, 1, each * beams).astype(np.int32),
        "max_length": np.array([search.max_length for search in searches], np.int32),
        "stop_when_full": np.array([search.early_stopping is True for search in searches], np.int32),
        "bound_length": np.array([_bound_length(search) for search in searches], np.int32),
        "norms": np.stack([_norms(search, longest) for search in searches]),
        "may_improve": np.ones(B, np.int32),
        "score": score,
        "stop_state": np.repeat(np.array(roots, np.int32), beams),
        "pool_score": np.full(S, OUT, np.float32),
        "pool_match_end": np.full(S, NO_MATCH, np.int32),
        "past_parent": np.zeros((S, longest), np.int32),
        "past_token": np.zeros((S, longest), np.int32),
    }


def _norms(search: Search, longest: int) -> np.ndarray:
    """length ** length_penalty of each length up to `longest`; [0] is not used."""
    norms = np.zeros(longest + 1, np.float32)
    with np.errstate(over="ignore", under="ignore"):
        norms[1:] = np.arange(1, longest + 1, dtype=np.float64) ** search.length_penalty
    return norms


def _bound_length(search: Search) -> int:
    """The length at which a running beam is compared with the finished ones; 0: its own."""
    return search.max_length if search.early_stopping == "never" and search.length_penalty > 0 else 0

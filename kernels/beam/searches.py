"""Beam searches on torch tensors: what they are, how far they are, and what they have found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from genlib.checks import check_int, check_token_ids, is_number, refuse
from genlib.ops.searches import NO_MATCH, EarlyStopping
from genlib.text import automaton

from ..row.sizes import MAX_VOCABULARY
from .limits import CANDIDATES

OUT = -1e9
STOP_STATES = 1 << 16


@dataclass(frozen=True, slots=True)
class Search:
    """One beam search, in the terms of `genlib.beam_search`; stop sequences are bytes.

    max_length: most new tokens. Raises InvalidRequest that names the field.
    """

    num_beams: int = 4
    max_length: int = 16
    early_stopping: EarlyStopping = False
    length_penalty: float = 1.0
    stop_sequences: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        check_int("num_beams", self.num_beams, 1)
        check_int("max_length", self.max_length, 1)
        if self.early_stopping != "never" and not isinstance(self.early_stopping, bool):
            raise refuse("early_stopping", 'be true, false or "never"', self.early_stopping)
        if not is_number(self.length_penalty):
            raise refuse("length_penalty", "be a finite number", self.length_penalty)
        if not isinstance(self.stop_sequences, tuple):
            raise refuse("stop_sequences", "be a tuple of bytes", self.stop_sequences)
        for i, stop in enumerate(self.stop_sequences):
            if not isinstance(stop, bytes) or not stop:
                raise refuse(f"stop_sequences[{i}]", "be bytes that are not empty", stop)


@dataclass(frozen=True, slots=True)
class Searches:
    """B searches, and R lanes of one beam each: search i has the lanes lane[i] to lane[i] + num_beams[i], one behind
    the other, and the rows of logits of the same numbers. All tensors are int32 unless said, on one device.

    After each step, `token` [R] is what each beam goes on with and `parent` [R] the beam of its search, from 0 on,
    that it went on from; `done` and `status` [B] say which searches go on: all others are passed over. The fields up to
    stop_ends are those of genlib.ops.searches.SearchBuffers, which describes them.
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
    past_parent: torch.Tensor  # [R, T] parent of each step so far
    past_token: torch.Tensor  # [R, T] token
    most_candidates: int  # of a search

    @property
    def num_rows(self) -> int:
        """R"""
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
        """[R] int64: the row that each beam went on from in the last step, by which a cache is reordered."""
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
    """Searches at their beginning, for logits of so many columns.

    eos_ids: the tokens that end a text. token_bytes: the bytes of each token, which stop sequences need. A search has
    max(2, 1 + len(eos_ids)) · num_beams candidates, at most 512 (num_beams itself where that is 1). Raises
    InvalidRequest that names the field.
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
    stops = _automata(searches)
    spelled = _token_table(vocabulary, token_bytes, needed=len(stops[1]) > 1)
    columns = _columns(searches, each, stops[2]) | {
        "eos_ids": np.array(ends, np.int32),
        "token_bytes": spelled[0],
        "token_starts": spelled[1],
        "stop_next": stops[0],
        "stop_ends": stops[1],
    }
    tensors = {name: torch.from_numpy(column).to(device) for name, column in columns.items()}
    return Searches(**tensors, most_candidates=int(columns["num_candidates"].max()))


def _columns(searches: Sequence[Search], each: int, roots: list[int]) -> dict[str, np.ndarray]:
    """All fields but the constants. roots: the state of the automata in which each search begins."""
    B, beams = len(searches), np.array([search.num_beams for search in searches], np.int32)
    R, T = int(beams.sum()), max(search.max_length for search in searches)
    lane = (np.cumsum(beams) - beams).astype(np.int32)
    norms = np.zeros((B, T + 1), np.float32)
    bound = np.zeros(B, np.int32)
    for i, search in enumerate(searches):
        with np.errstate(over="ignore", under="ignore"):
            norms[i, 1:] = np.arange(1, T + 1, dtype=np.float64) ** search.length_penalty
        if search.early_stopping == "never" and search.length_penalty > 0:
            bound[i] = search.max_length
    score = np.full(R, OUT, np.float32)
    score[lane] = 0
    slots = ("length", "done", "status")
    lanes = ("parent", "token", "pool_length", "pool_parent", "pool_token", "pool_ended")
    return {
        **{name: np.zeros(B, np.int32) for name in slots},
        **{name: np.zeros(R, np.int32) for name in lanes},
        "num_live": np.array([B], np.int32),
        "live": np.arange(B, dtype=np.int32),
        "first_row": lane.copy(),
        "lane": lane,
        "num_beams": beams,
        "num_candidates": np.where(beams == 1, 1, each * beams).astype(np.int32),
        "max_length": np.array([search.max_length for search in searches], np.int32),
        "stop_when_full": np.array([search.early_stopping is True for search in searches], np.int32),
        "bound_length": bound,
        "norms": norms,
        "may_improve": np.ones(B, np.int32),
        "score": score,
        "stop_state": np.repeat(np.array(roots, np.int32), beams),
        "pool_score": np.full(R, OUT, np.float32),
        "pool_match_end": np.full(R, NO_MATCH, np.int32),
        "past_parent": np.zeros((R, T), np.int32),
        "past_token": np.zeros((R, T), np.int32),
    }


def _automata(searches: Sequence[Search]) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Tables of the stop sequences of all searches, and the state in which each begins: 0 where it has none."""
    tables, flags = [np.zeros((1, 256), np.uint16)], [np.zeros(1, np.uint8)]
    roots: dict[tuple[bytes, ...], int] = {(): 0}
    num_states = 1
    for i, search in enumerate(searches):
        stops = tuple(search.stop_sequences)
        if stops in roots:
            continue
        if num_states + sum(map(len, stops)) >= STOP_STATES:
            raise refuse(f"searches[{i}].stop_sequences", f"be shorter than {STOP_STATES} bytes with all others", stops)
        table, ends = automaton.build(stops, num_states)
        roots[stops] = num_states
        num_states += len(table)
        tables.append(table)
        flags.append(ends)
    return np.concatenate(tables), np.concatenate(flags), [roots[tuple(s.stop_sequences)] for s in searches]


def _token_table(vocabulary: int, token_bytes: Sequence[bytes] | None, needed: bool) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of all tokens, one behind the other, and where each begins."""
    starts = np.zeros(vocabulary + 1, np.int64)
    if token_bytes is None:
        if needed:
            raise refuse("token_bytes", "be the bytes of each token: a search has stop sequences", None)
        return np.zeros(1, np.uint8), starts
    if len(token_bytes) != vocabulary:
        raise refuse("token_bytes", f"have an entry for each of the {vocabulary} tokens", len(token_bytes))
    for v, piece in enumerate(token_bytes):
        if not isinstance(piece, bytes):
            raise refuse(f"token_bytes[{v}]", "be bytes", piece)
    starts[1:] = np.cumsum([len(piece) for piece in token_bytes])
    return np.frombuffer(b"".join(token_bytes) + b"\0", np.uint8).copy(), starts

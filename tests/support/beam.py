"""Beam searches for the tests of the beam step."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from genlib.ops.searches import NO_MATCH, SearchBuffers, new_search_buffers
from genlib.text import automaton


@dataclass(frozen=True, slots=True)
class Search:
    """One search in the user's terms; `stops` are bytes."""

    num_beams: int
    max_length: int = 8
    early_stopping: bool | str = False
    length_penalty: float = 1.0
    stops: tuple[bytes, ...] = ()


def token_table(vocabulary: int) -> tuple[Any, Any]:
    """Tokens of one to three letters out of four."""
    texts = [bytes(97 + (v // 4**i) % 4 for i in range(1 + v % 3)) for v in range(vocabulary)]
    return np.frombuffer(b"".join(texts), np.uint8), np.cumsum([0, *map(len, texts)])


def begin(searches: list[Search], vocabulary: int, eos_ids: frozenset[int], spare: int = 3) -> SearchBuffers:
    """Buffers with these searches in them, in slots and lanes that are not in their order."""
    lanes = sum(s.num_beams for s in searches) + spare
    longest = max(s.max_length for s in searches)
    states = 2 + sum(len(stop) for s in searches for stop in s.stops) + len(searches)
    s = new_search_buffers(len(searches) + 1, lanes, longest, eos_ids, token_table(vocabulary), states)
    lane, state = lanes, 1
    for slot, search in enumerate(searches, 1):
        k = search.num_beams
        lane -= k
        s.lane[slot], s.num_beams[slot], s.max_length[slot] = lane, k, search.max_length
        s.num_candidates[slot] = k if k == 1 else max(2, 1 + len(eos_ids)) * k
        s.stop_when_full[slot] = search.early_stopping is True
        forever = search.early_stopping == "never" and search.length_penalty > 0
        s.bound_length[slot] = search.max_length if forever else 0
        lengths = np.arange(1, search.max_length + 1, dtype=np.float64)
        s.norms[slot, 1 : search.max_length + 1] = lengths**search.length_penalty
        s.may_improve[slot] = 1
        s.score[lane : lane + k] = [0, *[-1e9] * (k - 1)]
        s.pool_score[lane : lane + k] = -1e9
        s.pool_match_end[lane : lane + k] = NO_MATCH
        if search.stops:
            table, ends = automaton.build(search.stops, state)
            s.stop_next[state : state + len(table)], s.stop_ends[state : state + len(table)] = table, ends
            s.stop_state[lane : lane + k] = state
            state += len(table)
    return s


def set_live(slots: list[int], *all_searches: SearchBuffers) -> int:
    """Puts the searches of these slots into the step, one behind the other. Returns their rows."""
    rows = 0
    for s in all_searches:
        counts = s.num_beams[slots]
        s.num_live[0] = len(slots)
        s.live[: len(slots)] = slots
        s.first_row[: len(slots)] = np.cumsum(counts) - counts
        rows = int(counts.sum())
    return rows


def random_logits(rng: np.random.Generator, rows: int, V: int, kind: str, nothing: float = 0.9) -> Any:
    """[rows, V] float32. nothing: the share of −inf in rows of few finite logits."""
    logits = (rng.standard_normal((rows, V)) * 3).astype(np.float32)
    if kind == "coarse":
        return np.round(logits)
    if kind == "equal":
        return np.zeros_like(logits)
    if kind == "few finite":
        logits[rng.random(logits.shape) < nothing] = -np.inf
        logits[rng.random(logits.shape) < 0.05] = np.nan
    if kind == "near":
        return np.nextafter(np.float32(1), rng.choice([-9, 9], logits.shape).astype(np.float32))
    if kind == "peaked":
        logits[:, rng.integers(V)] = 200
    if kind == "infinite" and rows:
        logits[0, 0] = np.inf
    return logits


def copied(s: SearchBuffers) -> SearchBuffers:
    """The same, in buffers of its own."""
    return copy.deepcopy(s)


def assert_same(got: SearchBuffers, expected: SearchBuffers) -> None:
    """Every field, bit for bit."""
    for field in dataclasses.fields(SearchBuffers):
        a, b = getattr(got, field.name), getattr(expected, field.name)
        assert a.tobytes() == b.tobytes(), f"{field.name}: {a} ≠ {b}"

"""The beam step in plain numpy: the specification, which every implementation matches bit for bit (docs/kernels.md).

The search is that of transformers' generate(num_beams=…), step for step. Candidates are the best next tokens over all
beams. Candidates that end (by end of text, a stop sequence or the length) leave the beams, and enter the pool of
finished hypotheses if they rank among the first K. Scores are float32; ties go to the lower lane, then the lower token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .arrays import Buffer, Float32
from .reference_mass import MODEL_SCALE, PEAK_MASS, exponents, masses, natural_log
from .reference_sampling import widened
from .searches import NO_MATCH, SearchBuffers

OUT = np.float32(-1e9)

# The best next tokens of a search's beams: lane, token, and score with it.
Best = list[tuple[int, int, np.float32]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A beam's lane, its next token, the score with it, and whether and how it ends."""

    lane: int
    token: int
    score: np.float32
    stop_state: int
    match_end: int
    ended: bool


def log_softmax(logits: Float32) -> Float32:
    """`SamplerOutput.logprob` of each token, for one row [V] with a finite maximum."""
    x = np.where(np.isnan(logits), np.float32(-np.inf), logits)
    peak = x.max()
    total = int(masses(exponents(x, peak, MODEL_SCALE)).sum(dtype=np.uint64))
    distance = x.astype(np.float64) - float(peak)
    result: Float32 = (distance - natural_log(float(total) / float(PEAK_MASS))).astype(np.float32)
    return result


def status_of(rows: Float32) -> int:
    """The worst `SamplerOutput.status` of rows [K, V]."""
    peaks = np.where(np.isnan(rows), np.float32(-np.inf), rows).max(axis=1)
    return 2 if (peaks == np.inf).any() else int((peaks == -np.inf).any())


def best(rows: Float32, scores: Float32, count: int) -> Best | int:
    """The best of all next tokens of beams with these scores [K]; ties go to the lower lane, then to the lower token.
    If there are none, the status of the rows [K, V]."""
    status = status_of(rows)
    if status:
        return status
    sums = np.stack([log_softmax(row) for row in rows]) + scores[:, None]
    order = np.argsort(-sums.reshape(-1), kind="stable")[:count]
    return [(*divmod(int(i), sums.shape[1]), sums.reshape(-1)[i]) for i in order]


def follow(s: SearchBuffers, state: int, token: int) -> tuple[int, int]:
    """The automaton's state after a token, and how many of its bytes complete a stop sequence, or NO_MATCH."""
    for i, at in enumerate(range(s.token_starts[token], s.token_starts[token + 1])):
        state = int(s.stop_next[state, s.token_bytes[at]])
        if s.stop_ends[state]:
            return state, i + 1
    return state, NO_MATCH


def _candidates(found: Best, s: SearchBuffers, lanes: slice) -> list[Candidate]:
    candidates = []
    for lane, token, score in found:
        state, match_end = follow(s, int(s.stop_state[lanes][lane]), token)
        ended = match_end != NO_MATCH or token in s.eos_ids
        candidates.append(Candidate(lane, token, score, state, match_end, ended))
    return candidates


def _finish(s: SearchBuffers, slot: int, lanes: slice, candidates: list[Candidate], ends: list[bool]) -> None:
    """Puts candidates that end, and rank among the first K, into the pool."""
    full = bool(np.all(s.pool_length[lanes] > 0))
    if not s.may_improve[slot] or (full and s.stop_when_full[slot]):
        return
    length = int(s.length[slot])
    fields = (s.pool_score, s.pool_length, s.pool_parent, s.pool_token, s.pool_ended, s.pool_match_end)
    entries = list(zip(*(field[lanes].tolist() for field in fields), strict=True))
    for c, ends_here in zip(candidates[: int(s.num_beams[slot])], ends, strict=False):
        if ends_here:
            score = float(c.score / s.norms[slot, length])
            entries.append((score, length, c.lane, c.token, int(c.ended), c.match_end))
    entries.sort(key=lambda entry: -entry[0])
    for field, column in zip(fields, zip(*entries, strict=True), strict=True):
        field[lanes] = column[: int(s.num_beams[slot])]


def _check_improvement(s: SearchBuffers, slot: int, lanes: slice) -> None:
    """Updates whether the best running beam can still beat the worst finished one, as early_stopping defines it."""
    length = int(s.bound_length[slot]) or int(s.length[slot])
    bound = s.score[lanes][0] / s.norms[slot, length]
    worst = np.where(s.pool_length[lanes] > 0, s.pool_score[lanes].min(), OUT)
    s.may_improve[slot] &= bool(np.any(bound > worst))


def advance(found: Best | int, s: SearchBuffers, slot: int) -> None:
    """Advances one search by one step, with what `best` has found for it."""
    if isinstance(found, int):
        s.status[slot] = found
        return
    s.status[slot] = 0
    count, lane = int(s.num_beams[slot]), int(s.lane[slot])
    lanes = slice(lane, lane + count)
    candidates = _candidates(found, s, lanes)
    s.length[slot] += 1
    ends = [c.ended or s.length[slot] >= s.max_length[slot] for c in candidates]
    _finish(s, slot, lanes, candidates, ends)
    running = np.array([c.score + OUT if end else c.score for c, end in zip(candidates, ends, strict=True)], np.float32)
    chosen = np.argsort(-running, kind="stable")[:count]
    s.score[lanes] = running[chosen]
    s.parent[lanes] = [candidates[i].lane for i in chosen]
    s.token[lanes] = [candidates[i].token for i in chosen]
    s.stop_state[lanes] = [candidates[i].stop_state for i in chosen]
    _check_improvement(s, slot, lanes)
    full = bool(np.all(s.pool_length[lanes] > 0)) and bool(s.stop_when_full[slot])
    s.done[slot] = not s.may_improve[slot] or full or all(ends)


def beam_step(logits: Buffer, s: SearchBuffers) -> None:
    """`Ops.beam_step`."""
    advance_all(s, lambda rows, scores, count: best(widened(logits[rows]), scores, count))


def advance_all(s: SearchBuffers, find: Callable[[slice, Float32, int], Best | int]) -> None:
    """Advances the live searches. find: `best` of the rows of logits of one, given its beams' scores."""
    for i in range(int(s.num_live[0])):
        slot, row = int(s.live[i]), int(s.first_row[i])
        count, lane = int(s.num_beams[slot]), int(s.lane[slot])
        scores = s.score[lane : lane + count]
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            advance(find(slice(row, row + count), scores, int(s.num_candidates[slot])), s, slot)

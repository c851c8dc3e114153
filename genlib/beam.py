"""Beam search: which hypotheses go on, which are finished, and when to stop.

The search is that of transformers' generate(num_beams=…), step for step (docs/design.md §9): candidates are
the best of all beams' next tokens; those that end (end of text, a stop sequence, the length) leave the beams,
and enter the pool of finished hypotheses if they rank among the first K. Scores are float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .ops.base import Float32
from .requests import EarlyStopping

_OUT = np.float32(-1e9)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """New tokens, and the bytes behind them that a stop sequence may still begin in.

    parent: the beam of the step before that it goes on from. ended: by an end of text or a stop sequence;
    match_end: bytes of the last token that belong to the stop sequence.
    """

    token_ids: tuple[int, ...]
    tail: bytes
    parent: int
    ended: bool = False
    match_end: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What a search needs to know, once.

    extend: the tail behind a hypothesis with one more token, and, if that completes a stop sequence, how many
    bytes of the token belong to it.
    """

    num_beams: int
    max_length: int
    early_stopping: EarlyStopping
    length_penalty: float
    eos_ids: frozenset[int]
    extend: Callable[[bytes, int], tuple[bytes, int | None]]


def log_softmax(logits: Float32) -> Float32:
    """Row-wise, [K, V]; the sum in float64. NaN counts as −inf."""
    x = np.where(np.isnan(logits), np.float32(-np.inf), logits)
    top = x.max(axis=1, keepdims=True)
    total = np.exp(x - top).sum(axis=1, keepdims=True, dtype=np.float64)
    result: Float32 = (x - (top + np.log(total))).astype(np.float32)
    return result


def best_candidates(scores: Float32, count: int) -> list[tuple[int, int]]:
    """(beam, token) of the best scores [K, V]; ties go to the lower beam, then to the lower token."""
    flat = scores.reshape(-1)
    count = min(count, flat.size)
    bound = np.partition(flat, flat.size - count)[flat.size - count]
    picked = np.flatnonzero(flat >= bound)
    picked = picked[np.argsort(-flat[picked], kind="stable")][:count]
    return [divmod(int(i), scores.shape[1]) for i in picked]


class BeamSearcher:
    """One search. `beams` are the running hypotheses, `pool` the finished ones with their scores, best first."""

    def __init__(self, rules: Rules, tail: bytes) -> None:
        self.rules = rules
        k = rules.num_beams
        self.beams = [Hypothesis((), tail, 0) for _ in range(k)]
        self.pool: list[tuple[np.float32, Hypothesis | None]] = [(_OUT, None)] * k
        self.done = False
        self._scores = np.full(k, _OUT, np.float32)
        self._scores[0] = 0
        self._may_improve = True

    def advance(self, logits: Float32) -> None:
        """One step: logits [K, V] of the running beams, in their order. Sets beams, pool and done."""
        rules = self.rules
        k = rules.num_beams
        scores = log_softmax(logits) + self._scores[:, None]
        keep = 1 if k == 1 else max(2, 1 + len(rules.eos_ids)) * k
        picked = best_candidates(scores, keep)
        candidates = [self._extend(parent, token) for parent, token in picked]
        values = np.array([scores[p, t] for p, t in picked], np.float32)
        ends = np.array([c.ended for c in candidates])
        length = len(candidates[0].token_ids)
        ends |= length >= rules.max_length

        self._finish(candidates, values, ends, length)
        running = values + ends.astype(np.float32) * _OUT
        order = np.argsort(-running, kind="stable")[:k]
        self.beams = [candidates[i] for i in order]
        self._scores = running[order]
        self._check_improvement(length)
        full = all(h is not None for _, h in self.pool) and rules.early_stopping is True
        self.done = not self._may_improve or full or bool(ends.all())

    def _extend(self, parent: int, token: int) -> Hypothesis:
        beam = self.beams[parent]
        tail, match_end = self.rules.extend(beam.tail, token)
        ended = match_end is not None or token in self.rules.eos_ids
        return Hypothesis((*beam.token_ids, token), tail, parent, ended, match_end)

    def _finish(self, candidates: list[Hypothesis], values: Float32, ends: np.ndarray, length: int) -> None:
        """Lets candidates that end, and rank among the first K, into the pool."""
        rules = self.rules
        if not self._may_improve:
            return
        if rules.early_stopping is True and all(h is not None for _, h in self.pool):
            return
        normal = values / np.float32(length**rules.length_penalty)
        new = [(normal[i], c) for i, c in enumerate(candidates[: rules.num_beams]) if ends[i]]
        merged: list[tuple[np.float32, Hypothesis | None]] = [*self.pool, *new]
        self.pool = sorted(merged, key=lambda entry: -entry[0])[: rules.num_beams]

    def _check_improvement(self, length: int) -> None:
        """Whether the best running beam could still beat the worst finished one, by the rule of the option."""
        rules = self.rules
        forever = rules.early_stopping == "never" and rules.length_penalty > 0
        best = self._scores[0] / np.float32((rules.max_length if forever else length) ** rules.length_penalty)
        worst = min(score for score, _ in self.pool)
        bounds = [_OUT if h is None else worst for _, h in self.pool]
        self._may_improve = self._may_improve and any(best > bound for bound in bounds)

"""How likely a text is behind a state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """What score answers: a log-probability for each token of the text, and their sum."""

    state_id: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    total: float

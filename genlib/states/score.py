"""The result of scoring a text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """The result of State.score.

    state_id: the state that the text continues. token_ids: the tokens of the text. logprobs: the natural logarithm of
    each token's probability under the model, given all tokens before it. total: their sum.
    """

    state_id: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    total: float

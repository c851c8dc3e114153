"""The result of scoring a text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """The result of State.score, of one text.

    state_id: the state that the text continues. token_ids, tokens: the tokens of the text and their texts, which add up
    to it. logprobs: the natural logarithm of each token's probability under the model, given all tokens before it.
    total: their sum. mean: total / number of tokens. is_greedy: whether each token is the most likely one at its place
    (of several, the one with the lowest id), so that greedy decoding would generate just this text.
    """

    state_id: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    total: float
    mean: float
    tokens: tuple[str, ...]
    is_greedy: bool

"""From results to the bodies of responses. state_id: that of the request. Every number in them is finite.

msgspec silently writes NaN as null, so each float passes `finite` before it is sent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from ..calls.results import BeamResult, MultiResult, Piece, TokenResult, TopLogprob
from ..errors import ModelError
from ..states.score import ScoreResult
from ..states.state import State
from .answers import (
    BeamAnswer,
    ContinuationAnswer,
    MultiAnswer,
    ScoreAnswer,
    StateAnswer,
    StateSummary,
    StreamEvent,
    TextScore,
    TokenAnswer,
    TopAnswer,
)


def finite(values: Sequence[float]) -> Sequence[float]:
    """Returns the values. Raises ModelError if one is NaN or infinite."""
    if not all(map(math.isfinite, values)):
        raise ModelError("the model produced a probability that is not finite")
    return values


def token_answer(state_id: str | None, result: TokenResult) -> TokenAnswer:
    """The response of POST /v1/generate/token."""
    return TokenAnswer(state_id=state_id, **_drawn(result))


def stream_event(state_id: str | None, result: Piece | TokenResult) -> StreamEvent:
    """An event of a stream: a Piece is one token, the final TokenResult the complete response."""
    return StreamEvent(state_id=state_id, done=isinstance(result, TokenResult), **_drawn(result))


def multi_answer(state_id: str | None, result: MultiResult) -> MultiAnswer:
    """The response of POST /v1/generate/multi."""
    kept = [one.state.id for one in result.continuations if one.state is not None]
    return MultiAnswer(
        state_id=state_id,
        continuations=[ContinuationAnswer(**_drawn(one)) for one in result.continuations],
        seed=result.seed,
        state_ids=kept or UNSET,
    )


def beam_answer(state_id: str | None, result: BeamResult) -> BeamAnswer:
    """The response of POST /v1/generate/beam."""
    return BeamAnswer(
        state_id=state_id,
        beams=result.beams,
        scores=finite(result.scores),
        token_ids=result.token_ids,
        finished=result.finished,
        state_ids=[state.id for state in result.states] or UNSET,
    )


def score_answer(result: ScoreResult | tuple[ScoreResult, ...]) -> ScoreAnswer:
    """The response of POST /v1/states/{state_id}/score."""
    if isinstance(result, tuple):
        return ScoreAnswer(state_id=result[0].state_id, scores=[TextScore(**_scored(one)) for one in result])
    return ScoreAnswer(state_id=result.state_id, **_scored(result))


def _scored(result: ScoreResult) -> dict[str, Any]:
    finite((result.total, result.mean))
    return {
        "token_ids": result.token_ids,
        "logprobs": finite(result.logprobs),
        "total": result.total,
        "mean": result.mean,
        "tokens": result.tokens,
        "is_greedy": result.is_greedy,
    }


def state_answer(state: State) -> StateAnswer:
    """The response of the routes that create, change or return one state."""
    return StateAnswer(
        state_id=state.id,
        num_tokens=state.num_tokens,
        text=state.text,
        finished=state.finished,
        created_at=state.created_at,
    )


def state_summary(state: State) -> StateSummary:
    """One entry of the response of GET /v1/states."""
    return StateSummary(
        state_id=state.id, num_tokens=state.num_tokens, finished=state.finished, created_at=state.created_at
    )


def _drawn(result: Piece | TokenResult) -> dict[str, Any]:
    return {
        "text": result.text,
        "new_tokens": result.new_tokens,
        "probabilities": finite(result.probabilities),
        "finished": result.finished,
        "finish_reason": result.finish_reason,
        "token_ids": result.token_ids,
        "logprobs": finite(result.logprobs),
        "seed": result.seed,
        "stop_sequence": result.stop_sequence,
        "stop_start": result.stop_start,
        "top_logprobs": [list(map(_top, tops)) for tops in result.top_logprobs],
    }


def _top(top: TopLogprob) -> TopAnswer:
    finite((top.logprob,))
    return TopAnswer(token=top.token, token_id=top.token_id, logprob=top.logprob)

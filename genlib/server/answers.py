"""The response bodies of the HTTP API. Every number in them is finite.

msgspec silently writes NaN as null, so each float passes `finite` before it is sent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from ..calls.results import BeamResult, FinishReason, MultiResult, Piece, TokenResult, TopLogprob
from ..errors import ModelError
from ..states.score import ScoreResult
from ..states.state import State


class TopAnswer(Struct, frozen=True, kw_only=True):
    """One of the most likely tokens at a position, under the model."""

    token: str
    token_id: int
    logprob: float


class ContinuationAnswer(Struct, frozen=True, kw_only=True):
    """Generated tokens. `text` is the concatenation of `new_tokens`; the other lists have one entry per new token.

    `top_logprobs` is empty unless requested.
    """

    text: str
    new_tokens: Sequence[str]
    probabilities: Sequence[float]
    finished: bool
    finish_reason: FinishReason | None
    token_ids: Sequence[int]
    logprobs: Sequence[float]
    seed: int
    stop_sequence: str | None
    stop_start: int | None
    top_logprobs: Sequence[Sequence[TopAnswer]]


class TokenAnswer(ContinuationAnswer, frozen=True, kw_only=True):
    """The tokens generated, and the state that now contains them."""

    state_id: str


class StreamEvent(TokenAnswer, frozen=True, kw_only=True):
    """One `data:` object of a stream: a token or, if `done`, the complete response."""

    done: bool


class MultiAnswer(Struct, frozen=True, kw_only=True):
    """The continuations. `state_ids`: with keep_states, one new state per continuation, in the same order."""

    state_id: str
    continuations: list[ContinuationAnswer]
    seed: int
    state_ids: list[str] | UnsetType = UNSET


class BeamAnswer(Struct, frozen=True, kw_only=True):
    """The beams, best first. `state_ids`: with keep_states, one new state per beam, in the same order."""

    state_id: str
    beams: Sequence[str]
    scores: Sequence[float]
    token_ids: Sequence[Sequence[int]]
    finished: Sequence[bool]
    state_ids: list[str] | UnsetType = UNSET


class TextScore(Struct, frozen=True, kw_only=True):
    """The log-probability of each token of a text, and their sum and mean. `is_greedy`: whether each is the most likely
    token at its place, so that greedy decoding would generate just this text."""

    token_ids: Sequence[int]
    logprobs: Sequence[float]
    total: float
    mean: float
    tokens: Sequence[str]
    is_greedy: bool


class ScoreAnswer(Struct, frozen=True, kw_only=True):
    """The fields of TextScore for `text`, or `scores` for `texts`: one for each, in the same order."""

    state_id: str
    token_ids: Sequence[int] | UnsetType = UNSET
    logprobs: Sequence[float] | UnsetType = UNSET
    total: float | UnsetType = UNSET
    mean: float | UnsetType = UNSET
    tokens: Sequence[str] | UnsetType = UNSET
    is_greedy: bool | UnsetType = UNSET
    scores: list[TextScore] | UnsetType = UNSET


class StateAnswer(Struct, frozen=True, kw_only=True):
    """A state. `created_at` is in seconds since the Unix epoch."""

    state_id: str
    num_tokens: int
    text: str
    finished: bool
    created_at: float


class StateSummary(Struct, frozen=True, kw_only=True):
    """A state without its text."""

    state_id: str
    num_tokens: int
    finished: bool
    created_at: float


class StatesAnswer(Struct, frozen=True, kw_only=True):
    """A page of states, ordered by id. If `has_more`, get the next page with `after` set to the last id."""

    states: list[StateSummary]
    has_more: bool


class ErrorDetail(Struct, frozen=True, kw_only=True):
    """An error. `code` is stable, for use in programs; `param` is the field at fault, or null."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorAnswer(Struct, frozen=True, kw_only=True):
    """The response body of every failed request."""

    error: ErrorDetail


def finite(values: Sequence[float]) -> Sequence[float]:
    """Returns the values. Raises ModelError if one is NaN or infinite."""
    if not all(map(math.isfinite, values)):
        raise ModelError("the model produced a probability that is not finite")
    return values


def token_answer(result: TokenResult) -> TokenAnswer:
    """The response of POST /v1/generate/token."""
    return TokenAnswer(state_id=result.state_id, **_drawn(result))


def stream_event(result: Piece | TokenResult) -> StreamEvent:
    """An event of a stream: a Piece is one token, the final TokenResult the complete response."""
    return StreamEvent(state_id=result.state_id, done=isinstance(result, TokenResult), **_drawn(result))


def multi_answer(result: MultiResult) -> MultiAnswer:
    """The response of POST /v1/generate/multi."""
    kept = [one.state.id for one in result.continuations if one.state is not None]
    return MultiAnswer(
        state_id=result.state_id,
        continuations=[ContinuationAnswer(**_drawn(one)) for one in result.continuations],
        seed=result.seed,
        state_ids=kept or UNSET,
    )


def beam_answer(result: BeamResult) -> BeamAnswer:
    """The response of POST /v1/generate/beam."""
    return BeamAnswer(
        state_id=result.state_id,
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

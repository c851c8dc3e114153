"""The response bodies of the HTTP API."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from ..calls.results import FinishReason


class TopAnswer(Struct, frozen=True, kw_only=True, gc=False):
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
    """The tokens generated, and the state that now contains them: null for a call on a prompt."""

    state_id: str | None


class StreamEvent(TokenAnswer, frozen=True, kw_only=True):
    """One `data:` object of a stream: a token or, if `done`, the complete response."""

    done: bool


class MultiAnswer(Struct, frozen=True, kw_only=True):
    """The continuations. `state_ids`: with keep_states, one new state per continuation, in the same order."""

    state_id: str | None
    continuations: list[ContinuationAnswer]
    seed: int
    state_ids: list[str] | UnsetType = UNSET


class BeamAnswer(Struct, frozen=True, kw_only=True):
    """The beams, best first. `state_ids`: with keep_states, one new state per beam, in the same order."""

    state_id: str | None
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

"""What a call answers, with the field names of the HTTP answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from ..states.score import ScoreResult
from ..states.state import State

FinishReason = Literal["stop_sequence", "end_of_text"]


@dataclass(frozen=True, slots=True)
class TopLogprob:
    """One of the tokens that the model held most likely, whatever was drawn, with its log-probability.

    token is its text: "" for a control token, and U+FFFD for bytes that are no whole character.
    """

    token: str
    token_id: int
    logprob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One token of a stream, with the fields of TokenResult. `text` may be "" (half a code point).

    The last piece of a stream that ends may hold no token, when what ended it is not shown (end of text).
    """

    state_id: str
    text: str
    new_tokens: tuple[str, ...]
    token_ids: tuple[int, ...]
    probabilities: tuple[float, ...]
    logprobs: tuple[float, ...]
    finished: bool
    finish_reason: FinishReason | None
    stop_sequence: str | None
    seed: int
    top_logprobs: tuple[tuple[TopLogprob, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenResult(Piece):
    """What generate_token answers, and each continuation of generate_multi.

    text == "".join(new_tokens). probabilities and logprobs are those of each of new_tokens; token_ids are
    theirs too (an end-of-text token is in the state, not here). finish_reason is None when max_tokens is
    used up: call again to go on. seed gives the same result again. state is the continuation as a state
    of its own (generate_multi with keep_states), else None. top_logprobs, if asked for, are the model's most likely
    tokens in the place of each of new_tokens, best first, before temperature, penalties, bias and masks.
    """

    state: State | None = None


@dataclass(frozen=True, slots=True)
class MultiResult:
    """What generate_multi answers: n continuations, in the order of their streams."""

    state_id: str
    continuations: tuple[TokenResult, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class BeamResult:
    """What beam_search answers, best first.

    beams: texts without the end of text. scores: sum of log-probabilities / length ** length_penalty, where
    length counts new tokens, an end of text included. token_ids include it. finished: whether the beam ended
    by end of text or a stop sequence. states: with keep_states, each beam as a state, else ().
    """

    state_id: str
    beams: tuple[str, ...]
    scores: tuple[float, ...]
    token_ids: tuple[tuple[int, ...], ...]
    finished: tuple[bool, ...]
    states: tuple[State, ...] = ()


Result = TokenResult | MultiResult | BeamResult | ScoreResult
R = TypeVar("R", bound=Result)
R_co = TypeVar("R_co", bound=Result, covariant=True)

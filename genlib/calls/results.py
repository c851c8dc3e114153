"""The results of calls. Field names are those of the HTTP API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from ..states.score import ScoreResult
from ..states.state import State

FinishReason = Literal["stop_sequence", "end_of_text"]


@dataclass(frozen=True, slots=True)
class TopLogprob:
    """One of the most likely tokens at a position, under the model; it need not be the one drawn.

    token: its text; "" for a control token, U+FFFD for bytes that form no complete character. token_id: its id.
    logprob: natural logarithm of its probability: softmax of the unmodified logits, temperature 1.
    """

    token: str
    token_id: int
    logprob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One token of a stream, with the fields of TokenResult.

    `text` is "" for a token that does not complete a character. The last piece of a stream may hold text but no token:
    the U+FFFD of a character that an end of text left incomplete. With include_stop=False tokens that may begin a stop
    sequence wait until it is known whether they do. `stop_start` of the last piece is an index in its own `text`.
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
    stop_start: int | None = None
    seed: int
    top_logprobs: tuple[tuple[TopLogprob, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenResult(Piece):
    """The result of generate_token, and one continuation of generate_multi.

    state_id: the state that the call was made on. text: the generated text, equal to "".join(new_tokens).
    new_tokens, token_ids, probabilities, logprobs: text, id, probability and its natural logarithm, one entry per
        generated token; an end-of-text token is not listed, though it is in the state. Which probability is reported
        depends on `probability` of the request.
    finished: whether a stop sequence or an end of text ended the call; False if it reached max_tokens: call again to
        continue (with max_tokens=None the context is full). finish_reason: "stop_sequence", "end_of_text" or None.
        stop_sequence: the one that ended the call, or None.
    stop_start: where that begins in `text`, as an index of characters: 0 if an earlier call has generated its
        beginning, len(text) with include_stop=False. So text[:stop_start] is the text before it. None without one.
    seed: the seed used; the same request with it gives the same result.
    top_logprobs: if requested, the most likely tokens at each position, best first, before temperature, penalties,
        bias and masks; else ().
    state: the continuation as a new state (generate_multi with keep_states), else None.
    """

    state: State | None = None


@dataclass(frozen=True, slots=True)
class MultiResult:
    """The result of generate_multi.

    state_id: the state that the call was made on. continuations: n of them; the first is what generate_token returns
    for `seed`, the seed used. Iterating, indexing and len() are those of continuations.
    """

    state_id: str
    continuations: tuple[TokenResult, ...]
    seed: int

    def __len__(self) -> int:
        return len(self.continuations)

    def __iter__(self) -> Iterator[TokenResult]:
        return iter(self.continuations)

    def __getitem__(self, i: int) -> TokenResult:
        return self.continuations[i]


@dataclass(frozen=True, slots=True)
class Beam:
    """One beam of a BeamResult, with the fields' names in the singular; state is None without keep_states."""

    text: str
    score: float
    token_ids: tuple[int, ...]
    finished: bool
    state: State | None


@dataclass(frozen=True, slots=True)
class BeamResult:
    """The result of beam_search; all lists are best first.

    state_id: the state that the call was made on. beams: the generated texts. token_ids: the new tokens of each beam,
    including an end-of-text token.
    scores: sum of log-probabilities / length ** length_penalty, where length counts new tokens, including an
    end-of-text token.
    finished: whether the beam ended with an end of text or a stop sequence. states: with keep_states, each beam as a
    new state, else (). Iterating and indexing give each beam as a Beam.
    """

    state_id: str
    beams: tuple[str, ...]
    scores: tuple[float, ...]
    token_ids: tuple[tuple[int, ...], ...]
    finished: tuple[bool, ...]
    states: tuple[State, ...] = ()

    def __len__(self) -> int:
        return len(self.beams)

    def __iter__(self) -> Iterator[Beam]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> Beam:
        return Beam(
            text=self.beams[i],
            score=self.scores[i],
            token_ids=self.token_ids[i],
            finished=self.finished[i],
            state=self.states[i] if self.states else None,
        )


Result = TokenResult | MultiResult | BeamResult | ScoreResult | tuple[ScoreResult, ...]
R = TypeVar("R", bound=Result)
R_co = TypeVar("R_co", bound=Result, covariant=True)

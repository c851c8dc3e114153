"""The request bodies of the HTTP API.

Names and defaults are those of genlib.calls.requests, which also checks the ranges.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from msgspec import Struct, field

from .. import defaults
from ..calls.requests import BeamSearch, GenerateMulti, GenerateToken, Score, ScoreMany
from ..checks import check_exactly_one, check_int, refuse
from ..sampling.params import Sampling
from ..states.state import State
from . import fields, schemas

_TOKEN_ID = re.compile(fields.TOKEN_ID)


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request body. Unknown fields are rejected. SCHEMA: what JSON Schema says of it besides its fields."""

    SCHEMA: ClassVar[dict[str, Any]] = {}


class CallBody(Body, frozen=True, kw_only=True):
    """What a call begins with: exactly one of a state, a prompt and tokens.

    LENGTH: the field that bounds how many tokens it makes.
    """

    LENGTH: ClassVar[str] = "max_tokens"

    state_id: fields.StateId = None
    prompt: fields.Prompt = None
    tokens: fields.FirstTokens = None

    def check_target(self) -> None:
        """Raises InvalidRequest unless one of them is given."""
        check_exactly_one(state_id=self.state_id, prompt=self.prompt, tokens=self.tokens)

    def num_values(self, context_length: int) -> int:
        """How many tokens and top logprobs the response can contain."""
        raise NotImplementedError


class _DrawBody(CallBody, frozen=True, kw_only=True):
    """The fields that the two sampling calls share."""

    SCHEMA: ClassVar[dict[str, Any]] = schemas.DRAW

    max_tokens: fields.MaxTokens = defaults.MAX_TOKENS
    min_tokens: fields.MinTokens = defaults.MIN_TOKENS
    temperature: fields.Temperature = defaults.TEMPERATURE
    top_p: fields.TopP = defaults.TOP_P
    top_k: fields.TopK = defaults.TOP_K
    min_p: fields.MinP = defaults.MIN_P
    seed: fields.Seed = None
    stop_sequences: fields.Stops = None
    include_stop: fields.IncludeStop = True
    ignore_eos: fields.IgnoreEos = False
    probability: fields.Measure = defaults.PROBABILITY
    repetition_penalty: fields.Repetition = defaults.REPETITION_PENALTY
    presence_penalty: fields.Presence = defaults.PRESENCE_PENALTY
    frequency_penalty: fields.Frequency = defaults.FREQUENCY_PENALTY
    logit_bias: fields.Bias = None
    allowed_tokens: fields.Allowed = None
    top_logprobs: fields.TopLogprobs = defaults.TOP_LOGPROBS

    def num_values(self, context_length: int) -> int:
        length = context_length if self.max_tokens is None else min(self.max_tokens, context_length)
        return (1 + self.top_logprobs) * length

    def shared(self, state: State) -> dict[str, Any]:
        """The arguments that both requests take. Raises InvalidRequest if a value is out of range."""
        return {
            "state": state,
            "max_tokens": self.max_tokens,
            "min_tokens": self.min_tokens,
            "sampling": Sampling(
                temperature=self.temperature,
                top_p=self.top_p,
                top_k=self.top_k,
                min_p=self.min_p,
                seed=self.seed,
                repetition_penalty=self.repetition_penalty,
                presence_penalty=self.presence_penalty,
                frequency_penalty=self.frequency_penalty,
                logit_bias=_by_token(self.logit_bias),
                allowed_tokens=self.allowed_tokens,
            ),
            "stop_sequences": _stops(self.stop_sequences),
            "include_stop": self.include_stop,
            "ignore_eos": self.ignore_eos,
            "probability": self.probability,
            "top_logprobs": self.top_logprobs,
        }


class TokenBody(_DrawBody, frozen=True, kw_only=True):
    """Generate tokens and append them to a state."""

    stream: fields.Streamed = False

    def request(self, state: State) -> GenerateToken:
        """Raises InvalidRequest when a value is out of range."""
        return GenerateToken(**self.shared(state))


class MultiBody(_DrawBody, frozen=True, kw_only=True):
    """Sample n continuations of a state, which is left unchanged."""

    n: fields.Continuations = defaults.NUM_CONTINUATIONS
    keep_states: fields.KeepStates = False

    def num_values(self, context_length: int) -> int:
        return self.n * super().num_values(context_length)

    def request(self, state: State) -> GenerateMulti:
        """Raises InvalidRequest when a value is out of range."""
        check_int("n", self.n, 1, fields.MAX_N)
        return GenerateMulti(**self.shared(state), n=self.n, keep_states=self.keep_states)


class BeamBody(CallBody, frozen=True, kw_only=True):
    """Run a beam search from a state, which is left unchanged."""

    SCHEMA: ClassVar[dict[str, Any]] = schemas.BEAM
    LENGTH: ClassVar[str] = "max_length"

    num_beams: fields.Beams = defaults.NUM_BEAMS
    max_length: fields.MaxLength = defaults.MAX_LENGTH
    early_stopping: fields.EarlyStopping = defaults.EARLY_STOPPING
    length_penalty: fields.LengthPenalty = defaults.LENGTH_PENALTY
    num_return: fields.Returned = None
    stop_sequences: fields.Stops = None
    keep_states: fields.KeepStates = False

    def num_values(self, context_length: int) -> int:
        return min(self.max_length, context_length) * (self.num_beams if self.num_return is None else self.num_return)

    def request(self, state: State) -> BeamSearch:
        """Raises InvalidRequest when a value is out of range."""
        return BeamSearch(
            state=state,
            num_beams=self.num_beams,
            max_length=self.max_length,
            early_stopping=self.early_stopping,
            length_penalty=self.length_penalty,
            num_return=self.num_return,
            stop_sequences=_stops(self.stop_sequences),
            keep_states=self.keep_states,
        )


class CreateBody(Body, frozen=True, kw_only=True):
    """Create a state from exactly one of `prompt` and `tokens`."""

    SCHEMA: ClassVar[dict[str, Any]] = schemas.CREATE

    prompt: fields.Prompt = None
    tokens: fields.FirstTokens = None
    stop_sequences: fields.OwnStops = field(default_factory=list)


class AppendBody(Body, frozen=True, kw_only=True):
    """Append text to a state."""

    text: fields.Appended


class TruncateBody(Body, frozen=True, kw_only=True):
    """Keep the first tokens of a state and drop the rest."""

    num_tokens: fields.Kept


class ScoreBody(Body, frozen=True, kw_only=True):
    """Score exactly one of `text` and `texts`, as continuations of a state, which is left unchanged."""

    SCHEMA: ClassVar[dict[str, Any]] = schemas.SCORE

    text: fields.Scored = None
    texts: fields.ScoredTexts = None

    def request(self, state: State) -> Score | ScoreMany:
        """Tokenises the texts, which may take a while. Raises InvalidRequest."""
        check_exactly_one(text=self.text, texts=self.texts)
        if self.text is not None:
            return Score(state, state.engine.tokens_behind(state, self.text))
        texts = self.texts or []
        if not 0 < len(texts) <= fields.MAX_N:
            raise refuse("texts", f"contain from 1 to {fields.MAX_N} texts", len(texts))
        ids = (state.engine.tokens_behind(state, text, f"texts[{i}]") for i, text in enumerate(texts))
        return ScoreMany(state, tuple(ids))

    def num_values(self, request: Score | ScoreMany) -> int:
        """How many tokens the response contains."""
        return sum(map(len, (request.token_ids,) if isinstance(request, Score) else request.texts))


class EmptyBody(Body, frozen=True, kw_only=True):
    """A request without fields; the body may be omitted."""


def _stops(stops: list[str] | None) -> tuple[str, ...] | None:
    return None if stops is None else tuple(stops)


def _by_token(bias: dict[str, float] | None) -> dict[int, float] | None:
    """The bias by integer token id: JSON object keys are strings."""
    if bias is None:
        return None
    for name in bias:
        if not _TOKEN_ID.fullmatch(name):
            raise refuse("logit_bias", "have token ids as keys", name[:40])
    return {int(name): value for name, value in bias.items()}

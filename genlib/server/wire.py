"""What requests may hold, as it comes over the wire.

Names and defaults are those of genlib.calls.requests, which also checks the ranges; the ranges written here only
tell readers of /openapi.json.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from .. import defaults
from ..calls.requests import BeamSearch, GenerateMulti, GenerateToken
from ..checks import check_int, refuse
from ..sampling.params import Sampling
from ..states.state import State

MAX_N = 1024  # continuations of one request: its answer holds them all

_ID = re.compile(r"0|[1-9][0-9]{0,9}")


def _about(description: str, **schema: float) -> Meta:
    return Meta(description=description, extra_json_schema=dict(schema) or None)


StateId = Annotated[str, _about("Of the state, as POST /v1/states answered it.")]
Stops = Annotated[
    list[str] | None,
    _about("Each ends the call when generated text comes to hold it. null: the state's own; []: none."),
]
MaxTokens = Annotated[int, _about("Most new tokens.", minimum=1)]
MinTokens = Annotated[int, _about("No end of text or stop sequence before so many.", minimum=0)]
Temperature = Annotated[float, _about("0 is greedy, else from 1e-6.", minimum=0, maximum=1e4)]
TopP = Annotated[float, _about("Nucleus sampling; 1 is off.", exclusiveMinimum=0, maximum=1)]
TopK = Annotated[int, _about("The k most likely tokens; 0 is off.", minimum=0)]
MinP = Annotated[float, _about("Least part of the likeliest's probability; 0 is off.", minimum=0, maximum=1)]
Seed = Annotated[int | None, _about("null draws one, which the answer tells.", minimum=0, maximum=2**64 - 1)]
IgnoreEos = Annotated[bool, _about("Go on past an end of text.")]
Measure = Annotated[
    Literal["model", "sampling"],
    _about("Which probabilities to tell: the model's own, or those of the distribution drawn from."),
]
Repetition = Annotated[
    float, _about("Divides the logit of each token that the state holds; 1 is off.", minimum=0.01, maximum=100)
]
Presence = Annotated[
    float, _about("Taken from the logit of each token generated in the state; 0 is off.", minimum=-100, maximum=100)
]
Frequency = Annotated[
    float, _about("The same, once for each time that it was generated; 0 is off.", minimum=-100, maximum=100)
]
Bias = Annotated[
    dict[str, float] | None,
    _about("By token id, as text: what is added to the token's logit, from -100 to 100; at most 1024 tokens."),
]
Allowed = Annotated[
    list[int] | None,
    _about("The only token ids that may be drawn, an end of text among them or not; null: all."),
]
TopLogprobs = Annotated[int, _about("How many most likely tokens to tell for each.", minimum=0, maximum=64)]
KeepStates = Annotated[bool, _about("Make each a state of its own; see state_ids.")]


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request may hold. A field that is not named here is refused."""


class _DrawBody(Body, frozen=True, kw_only=True):
    """What the two calls share that draw tokens."""

    state_id: StateId
    max_tokens: MaxTokens = defaults.MAX_TOKENS
    min_tokens: MinTokens = defaults.MIN_TOKENS
    temperature: Temperature = defaults.TEMPERATURE
    top_p: TopP = defaults.TOP_P
    top_k: TopK = defaults.TOP_K
    min_p: MinP = defaults.MIN_P
    seed: Seed = None
    stop_sequences: Stops = None
    ignore_eos: IgnoreEos = False
    probability: Measure = defaults.PROBABILITY
    repetition_penalty: Repetition = defaults.REPETITION_PENALTY
    presence_penalty: Presence = defaults.PRESENCE_PENALTY
    frequency_penalty: Frequency = defaults.FREQUENCY_PENALTY
    logit_bias: Bias = None
    allowed_tokens: Allowed = None
    top_logprobs: TopLogprobs = defaults.TOP_LOGPROBS

    def shared(self, state: State) -> dict[str, Any]:
        """What both requests take. Raises InvalidRequest when a value is out of range."""
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
            "ignore_eos": self.ignore_eos,
            "probability": self.probability,
            "top_logprobs": self.top_logprobs,
        }


class TokenBody(_DrawBody, frozen=True, kw_only=True):
    """Advance a state."""

    stream: Annotated[bool, _about("Answer as text/event-stream.")] = False

    def request(self, state: State) -> GenerateToken:
        """Raises InvalidRequest when a value is out of range."""
        return GenerateToken(**self.shared(state))


class MultiBody(_DrawBody, frozen=True, kw_only=True):
    """Draw n continuations of a state, which stays as it is."""

    n: Annotated[int, _about("How many continuations.", minimum=1, maximum=MAX_N)] = defaults.NUM_CONTINUATIONS
    keep_states: KeepStates = False

    def request(self, state: State) -> GenerateMulti:
        """Raises InvalidRequest when a value is out of range."""
        check_int("n", self.n, 1, MAX_N)
        return GenerateMulti(**self.shared(state), n=self.n, keep_states=self.keep_states)


class BeamBody(Body, frozen=True, kw_only=True):
    """Search for the best continuations of a state, which stays as it is."""

    state_id: StateId
    num_beams: Annotated[int, _about("Beams kept at every step.", minimum=1)] = defaults.NUM_BEAMS
    max_length: Annotated[int, _about("Most new tokens, the state's own not counted.", minimum=1)] = defaults.MAX_LENGTH
    early_stopping: Annotated[bool | Literal["never"], _about("Whether to stop as soon as num_beams have ended.")] = (
        defaults.EARLY_STOPPING
    )
    length_penalty: Annotated[float, _about("Exponent of the length that scores are divided by.")] = (
        defaults.LENGTH_PENALTY
    )
    num_return: Annotated[int | None, _about("How many to answer; null: num_beams.", minimum=1)] = None
    stop_sequences: Stops = None
    keep_states: KeepStates = False

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
    """Make a state, from a text or from token ids: exactly one of the two."""

    prompt: Annotated[str | None, _about("Text; never read as control tokens.")] = None
    tokens: Annotated[list[int] | None, _about("Token ids, control tokens included.")] = None
    stop_sequences: Annotated[list[str], _about("Of calls that name none.")] = field(default_factory=list)


class AppendBody(Body, frozen=True, kw_only=True):
    """Put a text after the state's own."""

    text: Annotated[str, _about("Never read as control tokens.")]


class TruncateBody(Body, frozen=True, kw_only=True):
    """Keep the first tokens of the state."""

    num_tokens: Annotated[int, _about("How many to keep.", minimum=1)]


class ScoreBody(Body, frozen=True, kw_only=True):
    """Ask how likely a text is after the state, which stays as it is."""

    text: Annotated[str, _about("Never read as control tokens.")]


class EmptyBody(Body, frozen=True, kw_only=True):
    """A request without fields; the body may be missing altogether."""


def _stops(stops: list[str] | None) -> tuple[str, ...] | None:
    return None if stops is None else tuple(stops)


def _by_token(bias: dict[str, float] | None) -> dict[int, float] | None:
    """A bias by token id; in JSON the ids are texts, since they are names of an object."""
    if bias is None:
        return None
    for name in bias:
        if not _ID.fullmatch(name):
            raise refuse("logit_bias", "have token ids as its names", name[:40])
    return {int(name): value for name, value in bias.items()}

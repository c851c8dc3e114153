"""The request bodies of the HTTP API.

Names and defaults are those of genlib.calls.requests, which also checks the ranges; the ranges stated here only
appear in /openapi.json.
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

MAX_N = 1024  # continuations per request: one response contains them all

_ID = re.compile(r"0|[1-9][0-9]{0,9}")


def _about(description: str, **schema: float) -> Meta:
    return Meta(description=description, extra_json_schema=dict(schema) or None)


StateId = Annotated[str, _about("Id of the state, as returned by POST /v1/states.")]
Stops = Annotated[
    list[str] | None,
    _about("Up to 64 strings; the call ends when one is generated. If null, the state's own apply; if empty, none."),
]
MaxTokens = Annotated[
    int | None,
    _about("Maximum number of tokens to generate. If null, until the text ends or the context is full.", minimum=1),
]
MinTokens = Annotated[
    int, _about("Minimum number of tokens: no end of text or stop sequence ends the call earlier.", minimum=0)
]
Temperature = Annotated[float, _about("Sampling temperature: 0 (greedy) or 1e-6 to 1e4.", minimum=0, maximum=1e4)]
TopP = Annotated[
    float,
    _about(
        "Nucleus sampling: draw from the most likely tokens whose probabilities add up to this; 1 disables it.",
        exclusiveMinimum=0,
        maximum=1,
    ),
]
TopK = Annotated[int, _about("Draw from the k most likely tokens; 0 disables it.", minimum=0)]
MinP = Annotated[
    float, _about("Drop tokens below this fraction of the top probability; 0 disables it.", minimum=0, maximum=1)
]
Seed = Annotated[
    int | None, _about("Random seed. If null, the server draws one and returns it.", minimum=0, maximum=2**64 - 1)
]
IncludeStop = Annotated[bool, _about("Whether the texts show the stop sequence; the state holds it anyway.")]
IgnoreEos = Annotated[bool, _about("Never draw an end-of-text token.")]
Measure = Annotated[
    Literal["model", "sampling"],
    _about("Which probabilities to return: the model's own, or those of the distribution sampled from."),
]
Repetition = Annotated[
    float,
    _about(
        "Divides the logit of every token in the state (multiplies it if negative); 1 disables it.",
        minimum=0.01,
        maximum=100,
    ),
]
Presence = Annotated[
    float,
    _about(
        "Subtracted from the logit of every token generated in the state; 0 disables it.", minimum=-100, maximum=100
    ),
]
Frequency = Annotated[
    float,
    _about("Like presence_penalty, but subtracted once per occurrence; 0 disables it.", minimum=-100, maximum=100),
]
Bias = Annotated[
    dict[str, float] | None,
    _about("Maps token ids, as strings, to values added to their logits: -100 to 100; at most 1024 tokens."),
]
Allowed = Annotated[
    list[int] | None,
    _about("The only token ids that may be drawn; end-of-text tokens are not implied. If null, all are allowed."),
]
TopLogprobs = Annotated[
    int, _about("Also return this many of the most likely tokens at each position.", minimum=0, maximum=64)
]
KeepStates = Annotated[bool, _about("Keep each result as a new state, listed in state_ids of the response.")]
MaxLength = Annotated[int, _about("Maximum number of new tokens; tokens already in the state do not count.", minimum=1)]
EarlyStopping = Annotated[
    bool | Literal["never"],
    _about(
        "When to stop. true: once num_beams hypotheses are finished; false: once no running beam is likely to beat "
        'them; "never": once none can.'
    ),
]


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request body. Unknown fields are rejected."""


class _DrawBody(Body, frozen=True, kw_only=True):
    """The fields that the two sampling calls share."""

    state_id: StateId
    max_tokens: MaxTokens = defaults.MAX_TOKENS
    min_tokens: MinTokens = defaults.MIN_TOKENS
    temperature: Temperature = defaults.TEMPERATURE
    top_p: TopP = defaults.TOP_P
    top_k: TopK = defaults.TOP_K
    min_p: MinP = defaults.MIN_P
    seed: Seed = None
    stop_sequences: Stops = None
    include_stop: IncludeStop = True
    ignore_eos: IgnoreEos = False
    probability: Measure = defaults.PROBABILITY
    repetition_penalty: Repetition = defaults.REPETITION_PENALTY
    presence_penalty: Presence = defaults.PRESENCE_PENALTY
    frequency_penalty: Frequency = defaults.FREQUENCY_PENALTY
    logit_bias: Bias = None
    allowed_tokens: Allowed = None
    top_logprobs: TopLogprobs = defaults.TOP_LOGPROBS

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

    stream: Annotated[bool, _about("Stream the response as server-sent events (text/event-stream).")] = False

    def request(self, state: State) -> GenerateToken:
        """Raises InvalidRequest when a value is out of range."""
        return GenerateToken(**self.shared(state))


class MultiBody(_DrawBody, frozen=True, kw_only=True):
    """Sample n continuations of a state, which is left unchanged."""

    n: Annotated[int, _about("Number of continuations.", minimum=1, maximum=MAX_N)] = defaults.NUM_CONTINUATIONS
    keep_states: KeepStates = False

    def request(self, state: State) -> GenerateMulti:
        """Raises InvalidRequest when a value is out of range."""
        check_int("n", self.n, 1, MAX_N)
        return GenerateMulti(**self.shared(state), n=self.n, keep_states=self.keep_states)


class BeamBody(Body, frozen=True, kw_only=True):
    """Run a beam search from a state, which is left unchanged."""

    state_id: StateId
    num_beams: Annotated[int, _about("Number of beams.", minimum=1)] = defaults.NUM_BEAMS
    max_length: MaxLength = defaults.MAX_LENGTH
    early_stopping: EarlyStopping = defaults.EARLY_STOPPING
    length_penalty: Annotated[float, _about("Scores are divided by length ** length_penalty.")] = (
        defaults.LENGTH_PENALTY
    )
    num_return: Annotated[int | None, _about("Number of beams to return. If null, num_beams.", minimum=1)] = None
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
    """Create a state from exactly one of `prompt` and `tokens`."""

    prompt: Annotated[str | None, _about("Text to start from; never parsed into control tokens.")] = None
    tokens: Annotated[list[int] | None, _about("Token ids to start from; may include control tokens.")] = None
    stop_sequences: Annotated[list[str], _about("Stop sequences of calls that give none.")] = field(
        default_factory=list
    )


class AppendBody(Body, frozen=True, kw_only=True):
    """Append text to a state."""

    text: Annotated[str, _about("Text to append; never parsed into control tokens.")]


class TruncateBody(Body, frozen=True, kw_only=True):
    """Keep the first tokens of a state and drop the rest."""

    num_tokens: Annotated[int, _about("Number of tokens to keep.", minimum=1)]


class ScoreBody(Body, frozen=True, kw_only=True):
    """Score a text as a continuation of a state, which is left unchanged."""

    text: Annotated[str, _about("Text to score; never parsed into control tokens.")]


class EmptyBody(Body, frozen=True, kw_only=True):
    """A request without fields; the body may be omitted."""


def _stops(stops: list[str] | None) -> tuple[str, ...] | None:
    return None if stops is None else tuple(stops)


def _by_token(bias: dict[str, float] | None) -> dict[int, float] | None:
    """The bias by integer token id: JSON object keys are strings."""
    if bias is None:
        return None
    for name in bias:
        if not _ID.fullmatch(name):
            raise refuse("logit_bias", "have token ids as keys", name[:40])
    return {int(name): value for name, value in bias.items()}

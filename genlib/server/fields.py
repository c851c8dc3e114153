"""The fields of request bodies, with what /openapi.json says of them.

The ranges are checked by genlib.calls.requests and the engine; stated here they only appear in the document, where
`Bound` stands for the engine's own.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from msgspec import Meta

from ..calls.requests import LENGTH_NORMS
from ..checks import MAX_STOP_BYTES, MAX_STOP_SEQUENCES
from ..ops.buffers import MAX_TOP_LOGPROBS
from ..sampling.params import MAX_BIASES, MAX_PENALTY, MAX_REPETITION, MAX_TEMPERATURE, MIN_REPETITION, MIN_TEMPERATURE

MAX_N = 1024  # continuations, or texts to score, per request: one response contains them all
MAX_VALUES = 1 << 17  # tokens and top logprobs that one response contains
TOKEN_ID = r"0|[1-9][0-9]{0,9}"  # as the name of a field

# Bounds that an engine has, in place of a number.
Bound = Literal["context_length", "max_batch", "last_token_id"]
CONTEXT: Bound = "context_length"
BATCH: Bound = "max_batch"
LAST_TOKEN: Bound = "last_token_id"

_STOP = {"type": "string", "minLength": 1, "maxLength": MAX_STOP_BYTES}
_TOKEN = {"type": "integer", "minimum": 0, "maximum": LAST_TOKEN}
_BIAS = {"type": "number", "minimum": -MAX_PENALTY, "maximum": MAX_PENALTY}


def about(description: str, **schema: Any) -> Meta:
    """A field's description and JSON Schema keywords."""
    return Meta(description=description, extra_json_schema=schema or None)


StateId = Annotated[
    str | None,
    about(
        "Id of the state, as returned by POST /v1/states. Or give `prompt` or `tokens`, for a state of this call only."
    ),
]
Stops = Annotated[
    list[str] | None,
    about(
        "Up to 64 strings; the call ends when one is generated. If null, the state's own apply; if empty, none.",
        maxItems=MAX_STOP_SEQUENCES,
        items=_STOP,
    ),
]
MaxTokens = Annotated[
    int | None,
    about(
        "Maximum number of tokens to generate. If null, until the text ends or the context is full.",
        minimum=1,
        maximum=CONTEXT,
    ),
]
MinTokens = Annotated[
    int,
    about(
        "Minimum number of tokens: no end of text or stop sequence ends the call earlier.", minimum=0, maximum=CONTEXT
    ),
]
Temperature = Annotated[
    float,
    about(
        "Sampling temperature: 0 (greedy) or 1e-6 to 1e4.",
        anyOf=[{"const": 0}, {"minimum": MIN_TEMPERATURE, "maximum": MAX_TEMPERATURE}],
    ),
]
TopP = Annotated[
    float,
    about(
        "Nucleus sampling: draw from the most likely tokens whose probabilities add up to this; 1 disables it.",
        exclusiveMinimum=0,
        maximum=1,
    ),
]
TopK = Annotated[int, about("Draw from the k most likely tokens; 0 disables it.", minimum=0)]
MinP = Annotated[
    float, about("Drop tokens below this fraction of the top probability; 0 disables it.", minimum=0, maximum=1)
]
Seed = Annotated[
    int | None, about("Random seed. If null, the server draws one and returns it.", minimum=0, maximum=2**64 - 1)
]
IncludeStop = Annotated[bool, about("Whether the texts show the stop sequence; the state holds it anyway.")]
IgnoreEos = Annotated[bool, about("Never draw an end-of-text token.")]
Measure = Annotated[
    Literal["model", "sampling"],
    about("Which probabilities to return: the model's own, or those of the distribution sampled from."),
]
Repetition = Annotated[
    float,
    about(
        "Divides the logit of every token in the state (multiplies it if negative); 1 disables it.",
        minimum=MIN_REPETITION,
        maximum=MAX_REPETITION,
    ),
]
Presence = Annotated[
    float,
    about(
        "Subtracted from the logit of every token generated in the state; 0 disables it.",
        minimum=-MAX_PENALTY,
        maximum=MAX_PENALTY,
    ),
]
Frequency = Annotated[
    float,
    about(
        "Like presence_penalty, but subtracted once per occurrence; 0 disables it.",
        minimum=-MAX_PENALTY,
        maximum=MAX_PENALTY,
    ),
]
Bias = Annotated[
    dict[str, float] | None,
    about(
        "Maps token ids, as strings, to values added to their logits: -100 to 100; at most 1024 tokens.",
        maxProperties=MAX_BIASES,
        propertyNames={"pattern": f"^({TOKEN_ID})$"},
        additionalProperties=_BIAS,
    ),
]
Allowed = Annotated[
    list[int] | None,
    about(
        "The only token ids that may be drawn; end-of-text tokens are not implied. If null, all are allowed.",
        minItems=1,
        items=_TOKEN,
    ),
]
TopLogprobs = Annotated[
    int, about("Also return this many of the most likely tokens at each position.", minimum=0, maximum=MAX_TOP_LOGPROBS)
]
KeepStates = Annotated[bool, about("Keep each result as a new state, listed in state_ids of the response.")]
MaxLength = Annotated[
    int,
    about("Maximum number of new tokens; tokens already in the state do not count.", minimum=1, maximum=CONTEXT),
]
EarlyStopping = Annotated[
    bool | Literal["never"],
    about(
        "When to stop. true: once num_beams hypotheses are finished; false: once no running beam is likely to beat "
        'them; "never": once none can.'
    ),
]
Continuations = Annotated[int, about("Number of continuations.", minimum=1, maximum=MAX_N)]
Beams = Annotated[int, about("Number of beams.", minimum=1, maximum=BATCH)]
Returned = Annotated[int | None, about("Number of beams to return. If null, num_beams.", minimum=1, maximum=BATCH)]
_LEAST, _MOST = (bound / math.log10(2) for bound in LENGTH_NORMS)
LengthPenalty = Annotated[
    float,
    about(
        "Scores are divided by length ** length_penalty, which must be from 1e-4 to 1e30 up to max_length.",
        minimum=_LEAST,
        maximum=_MOST,
    ),
]
Streamed = Annotated[bool, about("Stream the response as server-sent events (text/event-stream).")]
Prompt = Annotated[str | None, about("Text to start from; never parsed into control tokens.")]
FirstTokens = Annotated[
    list[int] | None,
    about("Token ids to start from; may include control tokens.", minItems=1, maxItems=CONTEXT, items=_TOKEN),
]
OwnStops = Annotated[
    list[str],
    about("Stop sequences of calls that give none.", maxItems=MAX_STOP_SEQUENCES, allOf=[{"items": _STOP}]),
]
Appended = Annotated[str, about("Text to append; never parsed into control tokens.")]
Kept = Annotated[int, about("Number of tokens to keep.", minimum=1, maximum=CONTEXT)]
Scored = Annotated[str | None, about("Text to score; never parsed into control tokens.", minLength=1)]
ScoredTexts = Annotated[
    list[str] | None,
    about(
        "Texts to score, each as if it were alone.",
        minItems=1,
        maxItems=MAX_N,
        items={"type": "string", "minLength": 1},
    ),
]

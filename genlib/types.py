"""The vocabulary: what a call asks for, and what it answers.

Requests check themselves when they are made, so that a call that exists is a call that can be run.
Results have the field names of the HTTP answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .errors import InvalidRequest

if TYPE_CHECKING:
    from .state import State

FinishReason = Literal["stop_sequence", "end_of_text"]
EarlyStopping = Literal["never"] | bool
Probability = Literal["model", "sampling"]

MAX_STOP_SEQUENCES = 64
MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-6, 1e4


def refuse(param: str, rule: str, value: object) -> InvalidRequest:
    """The error "`param` must rule, got value"."""
    return InvalidRequest(f"`{param}` must {rule}, got {value!r}", param=param)


def check_int(param: str, value: object, low: int, high: int | None = None) -> None:
    """Raises InvalidRequest unless `value` is an int (not a bool) in [low, high]."""
    rule = f"be an integer ≥ {low}" if high is None else f"be an integer from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        raise refuse(param, rule, value)


def check_bool(param: str, value: object) -> None:
    """Raises InvalidRequest unless `value` is True or False."""
    if not isinstance(value, bool):
        raise refuse(param, "be true or false", value)


def check_text(param: str, value: object) -> str:
    """Raises InvalidRequest unless `value` is a str that UTF-8 can encode."""
    if not isinstance(value, str):
        raise refuse(param, "be a string", value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise refuse(param, "not hold half of a surrogate pair", value[error.start : error.end]) from None
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def check_stop_sequences(value: object) -> tuple[str, ...]:
    """The stop sequences as a tuple; InvalidRequest unless each is a string that is not empty."""
    name = "stop_sequences"
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise refuse(name, "be a list of strings", value)
    if len(value) > MAX_STOP_SEQUENCES:
        raise refuse(name, f"hold at most {MAX_STOP_SEQUENCES} strings", len(value))
    for i, stop in enumerate(value):
        if not check_text(f"{name}[{i}]", stop):
            raise refuse(f"{name}[{i}]", "not be empty", stop)
    return tuple(value)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is drawn from a row of logits (docs/design.md §8).

    temperature: 0 (greedy) or from 1e-6 to 1e4. top_p: in (0, 1]. top_k: ≥ 0, 0 is off. min_p: in [0, 1].
    seed: in [0, 2⁶⁴), or None to draw one from the operating system when the call starts.
    Raises InvalidRequest that names the field.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        t = self.temperature
        if not _is_number(t) or (t != 0 and not MIN_TEMPERATURE <= t <= MAX_TEMPERATURE):
            raise refuse("temperature", "be 0 (greedy) or from 1e-6 to 1e4", t)
        if not _is_number(self.top_p) or not 0 < self.top_p <= 1:
            raise refuse("top_p", "be in (0, 1]", self.top_p)
        if not _is_number(self.min_p) or not 0 <= self.min_p <= 1:
            raise refuse("min_p", "be in [0, 1]", self.min_p)
        check_int("top_k", self.top_k, 0)
        if self.seed is not None:
            check_int("seed", self.seed, 0, 2**64 - 1)


@dataclass(frozen=True, slots=True)
class _Generate:
    """What the two sampling calls share. `stop_sequences` None means the state's own, () none."""

    state: State
    max_tokens: int = 16
    min_tokens: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    stop_sequences: tuple[str, ...] | None = None
    ignore_eos: bool = False
    probability: Probability = "model"

    def __post_init__(self) -> None:
        check_int("max_tokens", self.max_tokens, 1)
        check_int("min_tokens", self.min_tokens, 0)
        if self.min_tokens > self.max_tokens:
            raise refuse("min_tokens", f"be at most `max_tokens` ({self.max_tokens})", self.min_tokens)
        check_bool("ignore_eos", self.ignore_eos)
        if self.probability not in ("model", "sampling"):
            raise refuse("probability", 'be "model" or "sampling"', self.probability)
        if self.stop_sequences is not None:
            object.__setattr__(self, "stop_sequences", check_stop_sequences(self.stop_sequences))


@dataclass(frozen=True, slots=True)
class GenerateToken(_Generate):
    """Advance a state by up to `max_tokens` tokens."""


@dataclass(frozen=True, slots=True)
class GenerateMulti(_Generate):
    """Draw `n` continuations of a state, which is left as it was."""

    n: int = 1
    keep_states: bool = False

    def __post_init__(self) -> None:
        _Generate.__post_init__(self)
        check_int("n", self.n, 1)
        check_bool("keep_states", self.keep_states)


@dataclass(frozen=True, slots=True)
class BeamSearch:
    """Search the `num_return` best continuations of up to `max_length` new tokens (docs/design.md §9)."""

    state: State
    num_beams: int = 4
    max_length: int = 16
    early_stopping: EarlyStopping = False
    length_penalty: float = 1.0
    num_return: int | None = None
    stop_sequences: tuple[str, ...] | None = None
    keep_states: bool = False

    def __post_init__(self) -> None:
        check_int("num_beams", self.num_beams, 1)
        check_int("max_length", self.max_length, 1)
        if self.early_stopping != "never" and not isinstance(self.early_stopping, bool):
            raise refuse("early_stopping", 'be true, false or "never"', self.early_stopping)
        if not _is_number(self.length_penalty):
            raise refuse("length_penalty", "be a finite number", self.length_penalty)
        if self.num_return is not None:
            check_int("num_return", self.num_return, 1, self.num_beams)
        check_bool("keep_states", self.keep_states)
        if self.stop_sequences is not None:
            object.__setattr__(self, "stop_sequences", check_stop_sequences(self.stop_sequences))


@dataclass(frozen=True, slots=True)
class Score:
    """Log-probabilities of `token_ids`, were they to follow the state. The state is left as it was."""

    state: State
    token_ids: tuple[int, ...]


Request = GenerateToken | GenerateMulti | BeamSearch | Score


@dataclass(frozen=True, slots=True)
class Piece:
    """One token of a stream, with the keys of TokenResult. `text` may be "" (half a code point).

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


@dataclass(frozen=True, slots=True)
class TokenResult:
    """What generate_token answers, and each continuation of generate_multi.

    text == "".join(new_tokens). probabilities and logprobs are those of each of new_tokens; token_ids are
    theirs too (an end-of-text token is in the state, not here). finish_reason is None when max_tokens is
    used up: call again to go on. seed gives the same result again. state is the continuation as a state
    of its own (generate_multi with keep_states), else None.
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


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """What score answers: a log-probability for each token of the text, and their sum."""

    state_id: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    total: float


Result = TokenResult | MultiResult | BeamResult | ScoreResult

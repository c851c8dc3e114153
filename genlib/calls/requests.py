"""What a call asks for. Requests check themselves when they are made, so that one that exists can be run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Literal

from .. import defaults
from ..checks import check_bool, check_int, check_stop_sequences, is_number, refuse
from ..ops.buffers import MAX_TOP_LOGPROBS
from ..ops.searches import EarlyStopping
from ..sampling.masks import TokenMask, check_token_mask
from ..sampling.params import Sampling
from ..states.score import ScoreResult
from ..states.state import State
from .results import BeamResult, MultiResult, R_co, TokenResult

Probability = Literal["model", "sampling"]


class Request(Generic[R_co]):
    """What a call asks for. R: what answers it."""

    __slots__ = ()

    state: State


@dataclass(frozen=True, slots=True)
class _Generate:
    """What the two sampling calls share. `stop_sequences` None means the state's own, () none.

    top_logprobs: how many of the model's most likely tokens to tell for each new one, 0 to 64.
    token_mask: generate_token tells it every token, generate_multi gives a fork of it to each continuation.
    """

    state: State
    max_tokens: int = defaults.MAX_TOKENS
    min_tokens: int = defaults.MIN_TOKENS
    sampling: Sampling = field(default_factory=Sampling)
    stop_sequences: tuple[str, ...] | None = None
    ignore_eos: bool = False
    probability: Probability = defaults.PROBABILITY
    top_logprobs: int = defaults.TOP_LOGPROBS
    token_mask: TokenMask | None = None

    def __post_init__(self) -> None:
        check_int("max_tokens", self.max_tokens, 1)
        check_int("min_tokens", self.min_tokens, 0)
        if self.min_tokens > self.max_tokens:
            raise refuse("min_tokens", f"be at most `max_tokens` ({self.max_tokens})", self.min_tokens)
        check_bool("ignore_eos", self.ignore_eos)
        if self.probability not in ("model", "sampling"):
            raise refuse("probability", 'be "model" or "sampling"', self.probability)
        check_int("top_logprobs", self.top_logprobs, 0, MAX_TOP_LOGPROBS)
        if self.token_mask is not None:
            check_token_mask(self.token_mask)
        if self.stop_sequences is not None:
            object.__setattr__(self, "stop_sequences", check_stop_sequences(self.stop_sequences))


@dataclass(frozen=True, slots=True)
class GenerateToken(_Generate, Request[TokenResult]):
    """Advance a state by up to `max_tokens` tokens."""


@dataclass(frozen=True, slots=True)
class GenerateMulti(_Generate, Request[MultiResult]):
    """Draw `n` continuations of a state, which is left as it was."""

    n: int = defaults.NUM_CONTINUATIONS
    keep_states: bool = False

    def __post_init__(self) -> None:
        _Generate.__post_init__(self)
        check_int("n", self.n, 1)
        check_bool("keep_states", self.keep_states)


@dataclass(frozen=True, slots=True)
class BeamSearch(Request[BeamResult]):
    """Search the `num_return` best continuations of up to `max_length` new tokens (docs/design/beams.md)."""

    state: State
    num_beams: int = defaults.NUM_BEAMS
    max_length: int = defaults.MAX_LENGTH
    early_stopping: EarlyStopping = defaults.EARLY_STOPPING
    length_penalty: float = defaults.LENGTH_PENALTY
    num_return: int | None = None
    stop_sequences: tuple[str, ...] | None = None
    keep_states: bool = False

    def __post_init__(self) -> None:
        check_int("num_beams", self.num_beams, 1)
        check_int("max_length", self.max_length, 1)
        if self.early_stopping != "never" and not isinstance(self.early_stopping, bool):
            raise refuse("early_stopping", 'be true, false or "never"', self.early_stopping)
        if not is_number(self.length_penalty):
            raise refuse("length_penalty", "be a finite number", self.length_penalty)
        if self.num_return is not None:
            check_int("num_return", self.num_return, 1, self.num_beams)
        check_bool("keep_states", self.keep_states)
        if self.stop_sequences is not None:
            object.__setattr__(self, "stop_sequences", check_stop_sequences(self.stop_sequences))


@dataclass(frozen=True, slots=True)
class Score(Request[ScoreResult]):
    """Log-probabilities of `token_ids`, were they to follow the state. The state is left as it was."""

    state: State
    token_ids: tuple[int, ...]

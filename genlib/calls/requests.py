"""The requests that Engine.submit takes. A request checks its fields when it is created, and is immutable."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Generic, Literal

from .. import defaults
from ..checks import (
    as_list,
    check_bool,
    check_choice,
    check_int,
    check_stop_sequences,
    check_token_ids,
    is_number,
    make_plain,
    refuse,
    shown,
)
from ..ops.buffers import MAX_TOP_LOGPROBS
from ..ops.searches import EarlyStopping
from ..sampling.masks import TokenMask, check_token_mask
from ..sampling.params import Sampling
from ..states.score import ScoreResult
from ..states.state import State
from .results import BeamResult, MultiResult, R_co, TokenResult

MAX_CONTINUATIONS = 1 << 16  # of one call, whose result holds them all
MAX_CONTEXT = 1 << 24  # of any model that can be loaded
MAX_KEPT = 1024  # of them that become states
MAX_TEXTS = 1 << 16  # that one call scores
# Decimal logarithms of the bounds of length ** length_penalty. Beyond them scores, which are float32, fall below
# that of a beam that is out of the search (-1e9), or are all 0.
LENGTH_NORMS = (-4, 30)

Probability = Literal["model", "sampling"]


class Request(Generic[R_co]):
    """Base class of all requests. R: the type of the result."""

    __slots__ = ()

    state: State


@dataclass(frozen=True, slots=True)
class _Generate:
    """The fields that the two sampling calls share."""

    state: State
    max_tokens: int | None = defaults.MAX_TOKENS
    min_tokens: int = defaults.MIN_TOKENS
    sampling: Sampling = field(default_factory=Sampling)
    stop_sequences: tuple[str, ...] | None = None
    include_stop: bool = True
    ignore_eos: bool = False
    probability: Probability = defaults.PROBABILITY
    top_logprobs: int = defaults.TOP_LOGPROBS
    token_mask: TokenMask | None = None

    def __post_init__(self) -> None:
        make_plain(self)
        if self.max_tokens is not None:
            check_int("max_tokens", self.max_tokens, 1)
        check_int("min_tokens", self.min_tokens, 0)
        if self.max_tokens is not None and self.min_tokens > self.max_tokens:
            raise refuse("min_tokens", f"be at most `max_tokens` ({self.max_tokens})", self.min_tokens)
        if not isinstance(self.sampling, Sampling):
            raise refuse("sampling", "be a Sampling", self.sampling)
        check_bool("include_stop", self.include_stop)
        check_bool("ignore_eos", self.ignore_eos)
        check_choice("probability", self.probability, "model", "sampling")
        check_int("top_logprobs", self.top_logprobs, 0, MAX_TOP_LOGPROBS)
        if self.token_mask is not None:
            check_token_mask(self.token_mask)
        if self.stop_sequences is not None:
            object.__setattr__(self, "stop_sequences", check_stop_sequences(self.stop_sequences))

    def limit(self, room: int) -> int:
        """The most tokens that it can generate; room: how many the context has left."""
        return room if self.max_tokens is None else self.max_tokens


@dataclass(frozen=True, slots=True)
class GenerateToken(_Generate, Request[TokenResult]):
    """Generates up to `max_tokens` tokens and appends them to `state`. The result is a TokenResult.

    max_tokens: at least 1; None: as many as the context has left. Default 16. min_tokens: no end of text or stop
        sequence ends the call before this many; 0 to max_tokens. Default 0.
    sampling: how tokens are drawn; see Sampling. Default Sampling().
    stop_sequences: at most 64 non-empty strings that end the call; None (default) uses the state's own, () none.
    include_stop: whether the texts of the answer show the stop sequence; the state holds it anyway. Default True.
    ignore_eos: never draw an end-of-text token. Default False.
    probability: "model" (default) reports the model's own probabilities, "sampling" those of the distribution sampled
        from.
    top_logprobs: also report this many of the most likely tokens at each position; 0 to 64. Default 0.
    token_mask: decides before each token which ones may come next; see TokenMask. It is told every token drawn.
        Default None.

    Raises InvalidRequest, which names the field. See genlib.generate_token.
    """


@dataclass(frozen=True, slots=True)
class GenerateMulti(_Generate, Request[MultiResult]):
    """Samples `n` continuations of `state`, which is left unchanged. The result is a MultiResult.

    n: 1 to 65536, with keep_states to 1024. Default 1. keep_states: also keep each continuation as a new state. Default
        False. token_mask: each continuation uses a fork of it.

    The other fields are those of GenerateToken. Raises InvalidRequest, which names the field.
    """

    n: int = defaults.NUM_CONTINUATIONS
    keep_states: bool = False

    def __post_init__(self) -> None:
        _Generate.__post_init__(self)
        check_bool("keep_states", self.keep_states)
        check_int("n", self.n, 1, MAX_KEPT if self.keep_states else MAX_CONTINUATIONS)


@dataclass(frozen=True, slots=True)
class BeamSearch(Request[BeamResult]):
    """Runs a beam search from `state`, which is left unchanged (docs/design/beams.md). The result is a BeamResult.

    num_beams: 1 to the engine's max_batch. Default 4. max_length: maximum number of new tokens; at least 1. Default 16.
    early_stopping: True, False (default) or "never": when to stop, as in transformers; see genlib.beam_search.
    length_penalty: scores are divided by length ** length_penalty, which must be from 1e-4 to 1e30 for every length up
        to max_length. Default 1.
    num_return: number of beams to return; 1 to num_beams. None (default) returns num_beams.
    stop_sequences: strings that finish a hypothesis; None (default) uses the state's own, () none.
    keep_states: also keep each returned beam as a new state. Default False.

    Raises InvalidRequest, which names the field.
    """

    state: State
    num_beams: int = defaults.NUM_BEAMS
    max_length: int = defaults.MAX_LENGTH
    early_stopping: EarlyStopping = defaults.EARLY_STOPPING
    length_penalty: float = defaults.LENGTH_PENALTY
    num_return: int | None = None
    stop_sequences: tuple[str, ...] | None = None
    keep_states: bool = False

    def __post_init__(self) -> None:
        make_plain(self)
        check_int("num_beams", self.num_beams, 1)
        check_int("max_length", self.max_length, 1)
        if not isinstance(self.early_stopping, bool) and not (
            isinstance(self.early_stopping, str) and self.early_stopping == "never"
        ):
            raise refuse("early_stopping", 'be true, false or "never"', self.early_stopping)
        if not is_number(self.length_penalty):
            raise refuse("length_penalty", "be a finite number", self.length_penalty)
        least, most = (bound / math.log10(min(max(self.max_length, 2), MAX_CONTEXT)) for bound in LENGTH_NORMS)
        if not least <= self.length_penalty <= most:
            rule = f"be from {least:.4g} to {most:.4g} for a max_length of {shown(self.max_length)}"
            raise refuse("length_penalty", rule, self.length_penalty)
        if self.num_return is not None:
            check_int("num_return", self.num_return, 1, self.num_beams)
        check_bool("keep_states", self.keep_states)
        if self.stop_sequences is not None:
            object.__setattr__(self, "stop_sequences", check_stop_sequences(self.stop_sequences))


@dataclass(frozen=True, slots=True)
class Score(Request[ScoreResult]):
    """Computes the log-probabilities of `token_ids` as a continuation of `state`, which is left unchanged.

    token_ids: at least one, as returned by State.tokenize. The result is a ScoreResult. See State.score.
    """

    state: State
    token_ids: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "token_ids", check_token_ids("token_ids", self.token_ids))


@dataclass(frozen=True, slots=True)
class ScoreMany(Request[tuple[ScoreResult, ...]]):
    """Computes the log-probabilities of many texts, each as a continuation of `state`, which is left unchanged.

    texts: the token ids of each, as returned by State.tokenize: at least one text, and each at least one token. The
    result has a ScoreResult for each. See State.score.
    """

    state: State
    texts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        texts = as_list("texts", "be a list of lists of token ids", self.texts)
        checked = tuple(check_token_ids(f"texts[{i}]", token_ids) for i, token_ids in enumerate(texts))
        object.__setattr__(self, "texts", checked)

"""What the calls take by name, for type checkers; genlib.api says what each parameter means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from ..ops.searches import EarlyStopping
from ..sampling.masks import TokenMask
from .requests import Probability


class DrawOptions(TypedDict, total=False):
    """The keyword arguments of all calls that draw tokens, except `seed`."""

    max_tokens: int | None
    min_tokens: int
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[int, float] | None
    allowed_tokens: Sequence[int] | None
    token_mask: TokenMask | None
    stop_sequences: Sequence[str] | None
    include_stop: bool
    ignore_eos: bool
    probability: Probability
    top_logprobs: int
    timeout: float | None


class TokenOptions(DrawOptions, total=False):
    """The keyword arguments of generate_token, except `stream`."""

    seed: int | None


class TokensOptions(DrawOptions, total=False):
    """The keyword arguments of generate_tokens."""

    seed: int | Sequence[int | None] | None


class MultiOptions(TokenOptions, total=False):
    """The keyword arguments of generate_multi."""

    n: int
    keep_states: bool


class BeamOptions(TypedDict, total=False):
    """The keyword arguments of beam_search."""

    num_beams: int
    max_length: int
    early_stopping: EarlyStopping
    length_penalty: float
    num_return: int | None
    stop_sequences: Sequence[str] | None
    keep_states: bool
    timeout: float | None

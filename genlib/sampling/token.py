"""A token that was drawn."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple


class SampledToken(NamedTuple):
    """What `sample` gave for one row (ops.buffers.SamplerOutput).

    top_tokens, top_logprobs: the most likely ones, as many as were asked for.
    """

    token_id: int
    probability: float
    logprob: float
    sampling_probability: float
    top_tokens: Collection[int] = ()
    top_logprobs: Collection[float] = ()

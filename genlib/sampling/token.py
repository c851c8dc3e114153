"""The result of sampling one row."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple


class SampledToken(NamedTuple):
    """The output of `sample` for one row (see ops.buffers.SamplerOutput).

    top_tokens, top_logprobs: the most likely tokens, as many as requested, best first.
    """

    token_id: int
    probability: float
    logprob: float
    sampling_probability: float
    top_tokens: Collection[int] = ()
    top_logprobs: Collection[float] = ()

"""The result of sampling one row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..ops.arrays import Float32, Int32

_NO_TOKENS, _NO_LOGPROBS = np.zeros(0, np.int32), np.zeros(0, np.float32)


class SampledToken(NamedTuple):
    """The output of `sample` for one row (see ops.buffers.SamplerOutput).

    top_tokens, top_logprobs: the most likely tokens, as many as requested, best first.
    """

    token_id: int
    probability: float
    logprob: float
    sampling_probability: float
    top_tokens: Int32 = _NO_TOKENS
    top_logprobs: Float32 = _NO_LOGPROBS

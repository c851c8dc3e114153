"""The host's part of the sampler's contract: a row's parameters as RowParams holds them, computed in float64."""

from __future__ import annotations

import math

import numpy as np

LOG2_E = 1.4426950408889634


def row_scale(temperature: float) -> np.float32:
    """`RowParams.scale` of a temperature; 0 is greedy."""
    return np.float32(0.0 if temperature == 0 else min(max(LOG2_E / temperature, 2.0**-64), 2.0**64))


def row_top_p(top_p: float) -> np.uint32:
    """`RowParams.top_p` of a probability in (0, 1]. Below 2^-32 counts as 2^-32, since 0 means off."""
    return np.uint32(0 if top_p == 1 else max(1, math.floor(top_p * 2.0**32)))


def row_min_p(min_p: float) -> np.float32:
    """`RowParams.min_p` of a probability in [0, 1]."""
    return np.float32(-math.inf if min_p == 0 else math.log2(min_p))

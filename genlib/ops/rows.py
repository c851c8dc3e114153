"""Conversion of sampling parameters to the format of RowParams, computed in float64 on the host."""

from __future__ import annotations

import math

import numpy as np

LOG2_E = 1.4426950408889634


def row_scale(temperature: float) -> np.float32:
    """`RowParams.scale` for a temperature; 0 is greedy."""
    return np.float32(0.0 if temperature == 0 else min(max(LOG2_E / temperature, 2.0**-64), 2.0**64))


def row_top_p(top_p: float) -> np.uint32:
    """`RowParams.top_p` for a probability in (0, 1]. Values below 2^-32 become 2^-32, since 0 means off."""
    return np.uint32(0 if top_p == 1 else max(1, math.floor(top_p * 2.0**32)))


def row_min_p(min_p: float) -> np.float32:
    """`RowParams.min_p` for a fraction in [0, 1]."""
    return np.float32(-math.inf if min_p == 0 else math.log2(min_p))

"""How much a token of a row weighs."""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from ..row.keys import value_of
from ..row.mass import mass


class Measure(NamedTuple):
    """What a row's values are measured by: its largest value, and log2(e) over its temperature. float32."""

    peak: Any
    scale: Any


@triton.jit
def y_of(z, measure):
    """The base-2 logarithm of relative probabilities: 0 at the peak, else less."""
    return (z - measure.peak) * measure.scale


@triton.jit
def weight_of(keys, by_count, measure):
    """What keys count towards a boundary, uint64: one each for top-k, their masses for top-p; 0 for no key."""
    weight = tl.where(by_count, tl.full((), 1, tl.uint64), mass(y_of(value_of(keys), measure)))
    return tl.where(keys != 0, weight, 0)

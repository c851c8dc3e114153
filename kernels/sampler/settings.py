"""A call's parameters, and their conversion to what the other kernels read."""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from genlib.ops import rows

from ..row.mass import INFINITY, LN_2, natural_log
from ..row.tiles import LARGEST_ID
from .given import MIN_P, STREAM, TEMPERATURE, TOP_K, TOP_P, number_or_row

LOG2_E = tl.constexpr(rows.LOG2_E)
WIDEST_SCALE = TWO_64 = tl.constexpr(2.0**64)
NARROWEST_SCALE = tl.constexpr(2.0**-64)
SMALLEST_NORMAL = tl.constexpr(2.0**-1022)
TWO_32 = tl.constexpr(4294967296)


class Settings(NamedTuple):
    """Parameters as tensors [S] in the user's units, and as numbers for all rows, converted already.

    `given` says which are read. The tensor in the place of a number is any of its type.
    """

    temperature: Any
    top_k: Any
    top_p: Any
    min_p: Any
    stream: Any
    scale_number: Any
    min_p_number: Any


class Integers(NamedTuple):
    """The numbers that are integers: kernels take each as a parameter of its own.

    In a tuple Triton would compile a kernel anew for 1 and for multiples of 16, do_not_specialize or not.
    """

    top_k: Any
    top_p_bits: Any  # of the uint32, as int32
    stream: Any


class Cuts(NamedTuple):
    """How a row is truncated, as RowParams has it. Off: 0, 0 and −inf."""

    k: Any  # int32
    top_p: Any  # int64
    min_p: Any  # float32


@triton.jit
def convert(settings, integers, work, given, s):
    """Writes row s of the parameters as RowParams has them (genlib/ops/rows.py), for the kernels that follow."""
    scale = settings.scale_number
    if (given & TEMPERATURE) != 0:
        temperature = tl.load(settings.temperature + s).to(tl.float64)
        wide = tl.full((), LOG2_E, tl.float64) / temperature
        wide = tl.minimum(tl.maximum(wide, NARROWEST_SCALE), WIDEST_SCALE)
        scale = tl.where(temperature == 0, 0.0, wide).to(tl.float32)
    tl.store(work.scale + s, scale)
    share = integers.top_p_bits.to(tl.uint32, bitcast=True).to(tl.int64)
    if (given & TOP_P) != 0:
        p = tl.load(settings.top_p + s).to(tl.float64)
        share = tl.maximum((p * TWO_32).to(tl.int64), 1)
        share = tl.where(p >= 1, 0, share)
    tl.store(work.top_p + s, share)
    floor = settings.min_p_number
    if (given & MIN_P) != 0:
        p = tl.load(settings.min_p + s).to(tl.float64)
        denormal = p < SMALLEST_NORMAL
        log = natural_log(tl.where(denormal, p * TWO_64, p)) / LN_2 - tl.where(denormal, 64.0, 0.0)
        floor = tl.where(p > 0, log, -INFINITY).to(tl.float32)
    tl.store(work.min_p + s, floor)
    k = number_or_row(given, TOP_K, settings.top_k, s, integers.top_k)
    tl.store(work.top_k + s, tl.minimum(tl.maximum(k, 0), LARGEST_ID).to(tl.int32))  # a tensor may hold anything
    tl.store(work.stream + s, number_or_row(given, STREAM, settings.stream, s, integers.stream).to(tl.int64))


@triton.jit
def load_cuts(work, s):
    """The cuts of row s; top-k is off by now if it keeps all."""
    return Cuts(tl.load(work.top_k + s), tl.load(work.top_p + s), tl.load(work.min_p + s))

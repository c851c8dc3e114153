"""What PTX instructions without memory or other threads compute, on numpy arrays: exactly, where PTX says exactly.

The exceptions are `ex2.approx` and `div.full`, which numpy rounds better than a GPU does.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[..., Any]
CANONICAL_NAN = np.uint32(0x7FFFFFFF).view(np.float32)


class UnknownError(Exception):
    """An instruction that is not implemented."""


@functools.cache
def dtype_of(type_: str) -> np.dtype[Any]:
    """Of a register, or of each half of a packed one. bf16 are their bits, since numpy has no such floats."""
    names = {"pred": "?", "bf16": "u2", "bf16x2": "u2", "f32x2": "f4"}
    if type_ in names:
        return np.dtype(names[type_])
    match = re.fullmatch(r"([busf])(8|16|32|64)", type_)
    if match is None:
        raise UnknownError(type_)
    return np.dtype({"b": "u", "u": "u", "s": "i", "f": "f"}[match[1]] + str(int(match[2]) // 8))


def widened(bits: Array) -> Array:
    """bfloat16 as float32."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def narrowed(x: Array) -> Array:
    """float32 as bfloat16, to nearest, ties to even."""
    bits = x.view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(x), np.uint32(0x7FFF), rounded).astype(np.uint16)


def canonical(x: Array) -> Array:
    """NaN of a float32 result has one form."""
    if x.dtype == np.float32 and (is_nan := np.isnan(x)).any():
        x[is_nan] = CANONICAL_NAN
    return x


def rounded(function: Function) -> Function:
    return lambda *operands: canonical(np.asarray(function(*operands)))


def fma(a: Array, b: Array, c: Array) -> Array:
    """The product is exact in float64; the sum is rounded to odd there, so that a second rounding does no harm."""
    if a.dtype != np.float32:
        raise UnknownError("fma of other than float32")
    product, c = a.astype(np.float64) * b, c.astype(np.float64)
    total = product + c
    back = total - product
    error = (product - (total - back)) + (c - back)
    toward = np.where(error > 0, np.inf, -np.inf)
    bits = total.view(np.uint64)
    is_even = (error != 0) & np.isfinite(error) & ((bits & np.uint64(1)) == 0)
    return np.where(is_even, np.nextafter(total, toward), total).astype(np.float32)


def extreme(of_integers: Function, of_floats: Function, of_zeros: Function) -> Function:
    """Of two or more. The other operand if one is NaN; of zeros, what `of_zeros` makes of their bits."""

    def pick(a: Array, *others: Array) -> Array:
        for b in others:
            if a.dtype.kind != "f":
                a = of_integers(a, b)
                continue
            bits = f"u{a.dtype.itemsize}"
            zero = of_zeros(a.view(bits), b.view(bits)).view(a.dtype)
            a = canonical(np.where((a == 0) & (b == 0), zero, of_floats(a, b)))
        return a

    return pick


largest = extreme(np.maximum, np.fmax, operator.and_)  # +0 is larger than −0
smallest = extreme(np.minimum, np.fmin, operator.or_)


def high_half(a: Array, b: Array) -> Array:
    """Of the product."""
    if a.dtype.itemsize == 4:
        wide = np.dtype(a.dtype.kind + "8")
        return ((a.astype(wide) * b.astype(wide)) >> wide.type(32)).astype(a.dtype)
    if a.dtype != np.uint64:
        raise UnknownError("mul.hi of s64")
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    low = ((a & mask) * (b & mask)) >> half
    one = (a >> half) * (b & mask) + low
    two = (a & mask) * (b >> half) + (one & mask)
    return (a >> half) * (b >> half) + (one >> half) + (two >> half)


def wide_product(a: Array, b: Array) -> Array:
    wide = f"{a.dtype.kind}{2 * a.dtype.itemsize}"
    return a.astype(wide) * b.astype(wide)


def remainder(a: Array, b: Array) -> Array:
    """With the sign of a."""
    if not b.all():
        raise ZeroDivisionError("what a GPU gives for this is not specified")
    return np.fmod(a, b)


def divided(a: Array, b: Array) -> Array:
    """Integers toward zero."""
    return canonical(a / b) if a.dtype.kind == "f" else (a - remainder(a, b)) // b


def shifted_left(a: Array, n: Array) -> Array:
    width = 8 * a.dtype.itemsize
    return np.where(n < width, a << np.minimum(n, width - 1).astype(a.dtype), a.dtype.type(0))


def shifted_right(a: Array, n: Array) -> Array:
    """Amounts beyond the register's width are as good as the width."""
    width = 8 * a.dtype.itemsize
    most = a >> np.minimum(n, width - 1).astype(a.dtype)
    return most if a.dtype.kind == "i" else np.where(n < width, most, a.dtype.type(0))


def bit_field(a: Array, start: Array, length: Array) -> Array:
    wide = a.astype(np.int64) >> np.minimum(start & 0xFF, 63).astype(np.int64)
    drop = 64 - np.minimum(length & 0xFF, 64).astype(np.int64)
    if a.dtype.kind == "i":
        field = (wide << np.minimum(drop, 63)) >> np.minimum(drop, 63)
    else:
        field = (wide.view(np.uint64) << np.minimum(drop, 63).view(np.uint64)) >> np.minimum(drop, 63).view(np.uint64)
        field = field.view(np.int64)
    return np.where(drop == 64, 0, field).astype(a.dtype)


def num_ones(a: Array) -> Array:
    shape = (*a.shape, 8 * a.dtype.itemsize)
    return np.unpackbits(np.ascontiguousarray(a).view(np.uint8)).reshape(shape).sum(-1, dtype=np.uint32)


def exp2(x: Array) -> Array:
    """Denormals count as 0, going in and coming out."""
    y = np.exp2(np.where(np.abs(x) < np.finfo(np.float32).tiny, np.float32(0), x))
    return canonical(np.where(y < np.finfo(np.float32).tiny, np.float32(0), y))


def to_integer(x: Array, target: np.dtype[Any]) -> Array:
    """Cut at the ends of the type's range."""
    limits = np.iinfo(target)
    inside = (x >= float(limits.min)) & (x < float(limits.max) + (target.itemsize < 8))
    cut = np.where(x > 0, limits.max, limits.min).astype(target)
    no_number = 0
    if x.dtype == np.float64 or target.itemsize == 8:
        no_number = limits.min if target.kind == "i" else 2 ** (8 * target.itemsize - 1)
    cut = np.where(np.isnan(x), np.array(no_number, target), cut)
    return np.where(inside, np.where(inside, x, 0).astype(target), cut)


def conversion(modifiers: list[str], target: str, source: str) -> Function:
    """cvt: exact, to nearest, or toward zero."""
    to, of = dtype_of(target), dtype_of(source)
    is_float, was_float = "f" in target, "f" in source
    widen: Function = widened if source == "bf16" else lambda x: x
    if is_float and (modifiers == ["rn"] or (was_float and not modifiers and to.itemsize > of.itemsize)):
        if target == "bf16":
            return lambda x: narrowed(x) if x.dtype == np.float32 else _refuse(source)
        return rounded(lambda x: widen(x).astype(to))
    if was_float and not is_float and modifiers in (["rzi"], ["rni"]):
        cut = np.trunc if modifiers == ["rzi"] else np.rint
        return lambda x: to_integer(cut(widen(x)), to)
    if not is_float and not was_float and not modifiers:
        return lambda x: x.astype(to)
    raise UnknownError(f"cvt {modifiers} {target} {source}")


def _refuse(what: str) -> Any:
    raise UnknownError(what)

"""From the name of a PTX instruction to its function and the types of its operands."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ptx.operations import (
    Array,
    Function,
    UnknownError,
    bit_field,
    conversion,
    divided,
    dtype_of,
    exp2,
    fma,
    high_half,
    largest,
    num_ones,
    remainder,
    rounded,
    shifted_left,
    shifted_right,
    smallest,
    wide_product,
    widened,
)


@dataclass(frozen=True, slots=True)
class Operation:
    """types: of the destination, then of the operands. `function` gives one array for each destination."""

    function: Function
    types: tuple[str, ...]


def _unequal(a: Array, b: Array) -> Array:
    """Neither equal nor unordered."""
    return (a < b) | (a > b)


COMPARISONS: dict[str, Function] = {
    "eq": operator.eq,
    "ne": _unequal,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "equ": lambda a, b: ~_unequal(a, b),
    "neu": operator.ne,
    "ltu": lambda a, b: ~(a >= b),
    "leu": lambda a, b: ~(a > b),
    "gtu": lambda a, b: ~(a <= b),
    "geu": lambda a, b: ~(a < b),
    "num": lambda a, b: ~(np.isnan(a) | np.isnan(b)),
    "nan": lambda a, b: np.isnan(a) | np.isnan(b),
}
# By the name without its type, which all operands have: the function, and of how many.
PLAIN: dict[str, tuple[Function, int]] = {
    "add": (operator.add, 2),
    "sub": (operator.sub, 2),
    "mul.lo": (operator.mul, 2),
    "mul.hi": (high_half, 2),
    "mad.lo": (lambda a, b, c: a * b + c, 3),
    "div": (divided, 2),
    "rem": (remainder, 2),
    "min": (smallest, 2),
    "max": (largest, 2),
    "neg": (operator.neg, 1),
    "abs": (np.abs, 1),
    "add.rn": (rounded(operator.add), 2),
    "sub.rn": (rounded(operator.sub), 2),
    "mul.rn": (rounded(operator.mul), 2),
    "div.rn": (divided, 2),
    "div.full": (divided, 2),
    "fma.rn": (rounded(fma), 3),
    "ex2.approx.ftz": (exp2, 1),
}
WIDER = {"s16": "s32", "u16": "u32", "s32": "s64", "u32": "u64"}


def _comparison(rest: list[str]) -> Operation:
    name, type_ = rest
    if type_[0] in "bus" and "f" not in type_ and len(name) == 3:
        raise UnknownError(name)
    compare = COMPARISONS[name]
    if type_ == "bf16":
        return Operation(lambda a, b: compare(widened(a), widened(b)), ("pred", type_, type_))
    if type_ == "bf16x2":  # two predicates: of the low halves and of the high ones
        return Operation(lambda a, b: compare(widened(a), widened(b)).T, ("pred", type_, type_))
    return Operation(compare, ("pred", type_, type_))


def _same(function: Function, count: int) -> Callable[[list[str]], Operation]:
    """All operands have the one type that is in the name."""

    def build(rest: list[str]) -> Operation:
        (type_,) = rest
        return Operation(function, (type_,) * (count + 1))

    return build


def _shift(function: Function) -> Callable[[list[str]], Operation]:
    return lambda rest: Operation(function, (*rest, *rest, "u32"))


def _wide_sum(a: Array, b: Array, c: Array) -> Array:
    return wide_product(a, b) + c


# By the first part of the name: from the others to the operation.
FAMILIES: dict[str, Callable[[list[str]], Operation]] = {
    "and": _same(operator.and_, 2),
    "or": _same(operator.or_, 2),
    "xor": _same(operator.xor, 2),
    "not": _same(operator.invert, 1),
    "mov": _same(lambda a: a, 1),
    "shl": _shift(shifted_left),
    "shr": _shift(shifted_right),
    "setp": _comparison,
    "selp": lambda rest: Operation(lambda a, b, p: np.where(p, a, b), (*rest, *rest, *rest, "pred")),
    "cvt": lambda rest: Operation(conversion(rest[:-2], *rest[-2:]), tuple(rest[-2:])),
}
WHOLE: dict[str, Operation] = {
    "popc.b32": Operation(num_ones, ("u32", "b32")),
    "popc.b64": Operation(num_ones, ("u32", "b64")),
    "bfe.u32": Operation(bit_field, ("u32", "u32", "u32", "u32")),
    "bfe.s32": Operation(bit_field, ("s32", "s32", "u32", "u32")),
    "add.rn.f32.bf16": Operation(rounded(lambda a, b: widened(a) + b), ("f32", "bf16", "f32")),
    "sub.rn.f32.bf16": Operation(rounded(lambda a, b: widened(a) - b), ("f32", "bf16", "f32")),
    "cvta.local.u64": Operation(lambda a: a, ("u64", "u64")),
    **{f"mul.wide.{t}": Operation(wide_product, (wide, t, t)) for t, wide in WIDER.items()},
    **{f"mad.wide.{t}": Operation(_wide_sum, (wide, t, t, wide)) for t, wide in WIDER.items()},
}


def _plain(opcode: str, operands: int) -> Operation:
    """Newer GPUs have min and max of three."""
    name, type_ = opcode.rsplit(".", 1)
    function, count = PLAIN[name]
    if operands != count and not (name in ("min", "max") and operands == 3):
        raise UnknownError(opcode)
    return Operation(function, (type_,) * (operands + 1))


@functools.cache
def operation_of(opcode: str, operands: int) -> Operation:
    """Raises UnknownError."""
    name, *rest = opcode.split(".")
    try:
        if opcode in WHOLE:
            operation = WHOLE[opcode]
        else:
            operation = FAMILIES[name](rest) if name in FAMILIES else _plain(opcode, operands)
        for type_ in operation.types:
            dtype_of(type_)
    except (KeyError, ValueError, TypeError) as error:
        raise UnknownError(opcode) from error
    if len(operation.types) != operands + 1:
        raise UnknownError(opcode)
    return operation

"""The machine that runs PTX: each instruction, where it has traps."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from ptx.operations import UnknownError, dtype_of
from ptx.table import operation_of

NAN, INF = 0x7FC00000, 0x7F800000
CANONICAL, MINUS_0, ONE = 0x7FFFFFFF, 0x80000000, 0x3F800000
ALL, MIN_64 = 2**64 - 1, 2**63


def compute(opcode: str, *bits: int) -> int:
    """Bits of the result, of operands given as bits."""
    operation = operation_of(opcode, len(bits))
    operands = []
    for value, type_ in zip(bits, operation.types[1:], strict=True):
        dtype = dtype_of(type_)
        unsigned = np.array([value], "?" if dtype == np.bool_ else f"u{dtype.itemsize}")
        operands.append(unsigned.view(dtype))
    with np.errstate(all="ignore"):
        result = np.asarray(operation.function(*operands)).astype(dtype_of(operation.types[0]))
    return int(result.view(f"u{result.dtype.itemsize}")[0])


@pytest.mark.parametrize(
    ("opcode", "operands", "result"),
    [
        ("shl.b32", (1, 31), 1 << 31),
        ("shl.b32", (1, 32), 0),
        ("shl.b32", (1, 2**32 - 1), 0),
        ("shl.b64", (1, 64), 0),
        ("shl.b16", (0xFFFF, 8), 0xFF00),
        ("shr.u64", (MIN_64, 63), 1),
        ("shr.u64", (MIN_64, 64), 0),
        ("shr.s32", (0x80000000, 99), 0xFFFFFFFF),
        ("bfe.u32", (0xABCD1234, 8, 12), 0xD12),
        ("bfe.u32", (0xABCD1234, 28, 12), 0xA),
        ("bfe.u32", (0xABCD1234, 8, 0), 0),
        ("bfe.s32", (0xABCD1234, 28, 12), 0xFFFFFFFA),
        ("bfe.s32", (0x00000080, 7, 1), 0xFFFFFFFF),
        ("popc.b32", (0xF0F00001,), 9),
        ("mul.hi.u32", (2**32 - 1, 2**32 - 1), 2**32 - 2),
        ("mul.hi.u64", (ALL, ALL), ALL - 1),
        ("mul.wide.s32", (0xFFFFFFFF, 3), ALL - 2),
        ("mad.wide.u32", (0xFFFFFFFF, 2, 5), 2**33 + 3),
        ("div.s32", (-7 % 2**32, 2), -3 % 2**32),
        ("rem.s32", (-7 % 2**32, 2), -1 % 2**32),
        ("min.f32", (NAN, ONE), ONE),
        ("min.f32", (0, MINUS_0), MINUS_0),
        ("max.f32", (MINUS_0, 0), 0),
        ("max.f32", (NAN, NAN | 1), CANONICAL),
        ("max.f32", (NAN, MINUS_0, ONE), ONE),
        ("max.s64", (ALL, 0), 0),
        ("add.rn.f32", (INF, INF | MINUS_0), CANONICAL),
        ("mul.rn.f32", (1, ONE), 1),
        ("setp.lt.f32", (NAN, ONE), 0),
        ("setp.ltu.f32", (NAN, ONE), 1),
        ("setp.ne.f32", (NAN, NAN), 0),
        ("setp.neu.f32", (NAN, NAN), 1),
        ("setp.equ.f32", (NAN, ONE), 1),
        ("setp.num.f32", (NAN, ONE), 0),
        ("setp.num.bf16", (0x7F80, 0x3F80), 1),
        ("setp.ne.bf16", (0x8000, 0x0000), 0),
        ("setp.lt.s64", (ALL, 0), 1),
        ("setp.lt.u64", (ALL, 0), 0),
        ("selp.b64", (5, 6, 0), 6),
        ("cvt.f32.bf16", (0x0001,), 0x00010000),
        ("cvt.rn.bf16.f32", (0x3F808000,), 0x3F80),
        ("cvt.rn.bf16.f32", (0x3F818000,), 0x3F82),
        ("cvt.rn.f32.u64", (2**63 + 2**39 + 1,), 0x5F000001),
        ("cvt.rn.f32.s32", (2**24 + 1,), 0x4B800000),
        ("cvt.u32.u64", (2**40 + 7,), 7),
        ("cvt.s64.s32", (2**32 - 2,), ALL - 1),
        ("cvt.rzi.s32.f32", (0x4F800000,), 2**31 - 1),
        ("cvt.rzi.s32.f32", (0xBFC00000,), -1 % 2**32),
        ("cvt.rzi.s32.f32", (NAN,), 0),
        ("cvt.rzi.s64.f64", (0x43E0000000000000,), 2**63 - 1),
        ("cvt.rzi.s64.f64", (0x7FF8000000000000,), MIN_64),
        ("ex2.approx.ftz.f32", (0x00000001,), ONE),
        ("ex2.approx.ftz.f32", (0xC3000000,), 0),
    ],
)
def test_traps(opcode: str, operands: tuple[int, ...], result: int) -> None:
    assert compute(opcode, *operands) == result


@pytest.mark.parametrize(
    "opcode", ["add.f32", "fma.rn.ftz.f32", "cvt.rm.f32.f64", "setp.lt.and.f32", "lop3.b32", "setp.num.s32", "min.f32"]
)
def test_what_is_not_known_is_refused(opcode: str) -> None:
    with pytest.raises(UnknownError):
        operation_of(opcode, 1)


def nearest(exact: Fraction) -> np.float32:
    """To float32, ties to even."""
    near = np.float32(float(exact))
    around = [np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))]
    return min(around, key=lambda x: (abs(Fraction(float(x)) - exact), int(x.view(np.uint32)) & 1))


@pytest.mark.parametrize(
    ("opcode", "exactly"),
    [
        ("add.rn.f32", lambda a, b: a + b),
        ("mul.rn.f32", lambda a, b: a * b),
        ("div.rn.f32", lambda a, b: a / b),
        ("fma.rn.f32", lambda a, b, c: a * b + c),
    ],
)
def test_arithmetic_is_rounded_once(opcode: str, exactly: Callable[..., Fraction]) -> None:
    """Also where the sum of a product lies next to the middle of two float32, or is denormal."""
    rng = np.random.default_rng(1)
    spread = rng.choice([0, -12, -24, -60], (3, 2000))
    a, b, c = (np.ldexp(rng.integers(1, 2**24, 2000) / 2**23 * rng.choice([-1, 1], 2000), e) for e in spread)
    tiny = rng.random(2000) < 0.2
    scales = np.array([2.0**-70, 2.0**-60, 2.0**-130])[:, None]
    floats = (np.array([a, b, c]) * np.where(tiny, scales, 1)).astype(np.float32)
    floats[2, ::3] = -(floats[0] * floats[1])[::3]
    operands = floats[: 3 if opcode[:3] == "fma" else 2]
    got = operation_of(opcode, len(operands)).function(*operands)
    for i, numbers in enumerate(zip(*operands.tolist(), strict=True)):
        exact = exactly(*map(Fraction, numbers))
        assert got[i] == nearest(exact), (opcode, numbers)

"""The arithmetic on a GPU: masses, random words, probabilities (docs/kernels.md).

Each float operation is rounded by itself, so every kernel that uses these is launched with enable_fp_fusion=False.
All functions work element by element, on tensors or scalars.
"""

from __future__ import annotations

import triton
import triton.language as tl

from genlib.ops import reference_mass as contract

C0 = tl.constexpr(float(contract.COEFFICIENTS[0]))
C1 = tl.constexpr(float(contract.COEFFICIENTS[1]))
C2 = tl.constexpr(float(contract.COEFFICIENTS[2]))
C3 = tl.constexpr(float(contract.COEFFICIENTS[3]))
C4 = tl.constexpr(float(contract.COEFFICIENTS[4]))
C5 = tl.constexpr(float(contract.COEFFICIENTS[5]))
ROUND = tl.constexpr(float(contract.ROUND))
ROUND_BITS = tl.constexpr(int(contract.ROUND_BITS))
MODEL_SCALE = tl.constexpr(float(contract.MODEL_SCALE))
PEAK_MASS = tl.constexpr(float(contract.PEAK_MASS))
PEAK_MASS_BITS = tl.constexpr(contract.PEAK_MASS)  # as an integer
LN_2 = tl.constexpr(contract.LN_2)
ROOT_HALF = tl.constexpr(0.7071067811865476)
INFINITY = tl.constexpr(float("inf"))
MASS_BITS = tl.constexpr(41)  # no mass is wider


@triton.jit
def powers(y):
    """p in [1, 2) and t with 2^(y + 1/2) = p · 2^n, t = n + ROUND. y float32."""
    t = y + ROUND
    f = y - (t - ROUND)
    p = ((((C5 * f + C4) * f + C3) * f + C2) * f + C1) * f + C0
    return p, t


@triton.jit
def mass(y):
    """The 64-bit mass of a token at y = (z − peak) · scale; 0 below −40.5, and for −inf and NaN."""
    p, t = powers(y)
    k = tl.sub(ROUND_BITS, t.to(tl.uint32, bitcast=True), sanitize_overflow=False)
    significand = (p.to(tl.uint32, bitcast=True) & 0x00FFFFFF).to(tl.uint64)
    return (significand << 17) >> tl.minimum(k, 63).to(tl.uint64)


@triton.jit
def target_of(top_p, total):
    """max(1, ceil(top_p · total / 2³²)) for uint64 top_p in [1, 2³²) and total."""
    share = top_p << 32
    target = tl.umulhi(total, share) + ((total * share) != 0).to(tl.uint64)
    return tl.maximum(target, tl.full((), 1, tl.uint64))


@triton.jit
def random_word(seed, stream, position):
    """The 64 random bits of a draw, uint64. Scalars, int64: Philox-4x32-10 of two 32-bit halves each.

    The counters must be 32 bits wide: tl.philox would take 64-bit ones for those of another generator.
    """
    c0, c1 = position.to(tl.uint32), (position >> 32).to(tl.uint32)
    c2, c3 = stream.to(tl.uint32), (stream >> 32).to(tl.uint32)
    word0, word1, _, _ = tl.philox(seed, c0, c1, c2, c3)
    return (word1.to(tl.uint64) << 32) | word0.to(tl.uint64)


@triton.jit
def probability(y, total):
    """The probability, float32, of a token at y: its mass, not floored, over `total`, the float64 sum of masses."""
    p, t = powers(y)
    n = t.to(tl.int32, bitcast=True) - ROUND_BITS
    power = ((n + 1023).to(tl.int64) << 52).to(tl.float64, bitcast=True)
    quotient = ((p.to(tl.float64) * power) * 1099511627776.0) / total
    return tl.where(y >= -160.0, quotient, 0.0).to(tl.float32)


@triton.jit
def natural_log(q):
    """ln q of a normal float64 q > 0: ln m = 2 artanh((m − 1) / (m + 1)), m in [√½, √2)."""
    bits = q.to(tl.int64, bitcast=True)
    e = ((bits >> 52) & 0x7FF).to(tl.int32) - 1022
    m = ((bits & 0x000FFFFFFFFFFFFF) | 0x3FE0000000000000).to(tl.float64, bitcast=True)
    small = m < ROOT_HALF
    m = tl.where(small, m * 2.0, m)
    e = tl.where(small, e - 1, e)
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    series = square * (1.0 / 19) + 1.0 / 17
    for i in tl.static_range(7):
        series = series * square + 1.0 / (15 - 2 * i)
    twice = 2.0 * s
    return e.to(tl.float64) * LN_2 + (twice * (square * series) + twice)

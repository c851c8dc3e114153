"""The arithmetic of the sampler in plain numpy: fixed-point masses, probabilities, random words (docs/kernels.md).

Every float32 and float64 operation below is rounded separately, in the order written; everything else is exact integer
arithmetic. So no result depends on the order of a sum, a tile size, a thread, or a math library.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .arrays import Float32
from .rows import LOG2_E

Masses = npt.NDArray[np.uint64]

MODEL_SCALE = np.float32(LOG2_E)  # the scale of temperature 1
# 2^(f + 1/2) for |f| <= 1/2, lowest power first: within 1.9e-7, and always in [1, 2).
COEFFICIENTS = np.array([0x3FB504F4, 0x3F7AF227, 0x3EADF032, 0x3DA0C79C, 0x3C6042E7, 0x3AF302D6], np.uint32).view(
    np.float32
)
ROUND = np.float32(12582912)  # 1.5 * 2^23: adding it rounds to an integer
ROUND_BITS = np.uint32(0x4B400000)
PEAK_MASS = 0x16A09E80000  # the mass of the largest logit: about sqrt(2) * 2^40
LN_2 = 0.6931471805599453
UINT32 = (1 << 32) - 1


def exponents(x: Float32, peak: np.float32, scale: np.float32) -> Float32:
    """y = (x - peak) * scale, the base-2 logarithm of each token's mass relative to the largest."""
    y: Float32 = (x - peak) * scale
    return y


def _powers(y: Float32) -> tuple[Float32, Float32]:
    """(p, t) with 2^(y + 1/2) = p * 2^n, p in [1, 2), and t = n + ROUND."""
    with np.errstate(invalid="ignore"):
        t = y + ROUND
        f = y - (t - ROUND)
        p = np.full_like(f, COEFFICIENTS[5])
        for c in COEFFICIENTS[4::-1]:
            p = p * f + c
    return p, t


def masses(y: Float32) -> Masses:
    """The fixed-point masses, floor(p * 2^(40 + n)); 0 below y = -40.5, and for -inf and NaN."""
    p, t = _powers(y)
    k = np.minimum(ROUND_BITS - t.view(np.uint32), np.uint32(63)).astype(np.uint64)
    significand = (p.view(np.uint32) & np.uint32(0x00FFFFFF)).astype(np.uint64)
    m: Masses = (significand << np.uint64(17)) >> k
    return m


def probability(y: np.float32, total: int) -> np.float32:
    """Probability of a token at `y` if the masses sum to `total`. Without the floor: it is 0 only below 2^-150."""
    if not y >= -160:
        return np.float32(0)
    p, t = _powers(np.array([y], np.float32))
    n = int(t[0] - ROUND)
    return np.float32(math.ldexp(float(p[0]), n) * 2.0**40 / float(total))


def natural_log(q: float) -> float:
    """ln q for normal q > 0, within 1e-15 relative: ln m = 2 artanh((m - 1) / (m + 1)), m in [sqrt(1/2), sqrt(2))."""
    m, e = math.frexp(q)
    if m < 0.7071067811865476:
        m, e = m * 2, e - 1
    s = (m - 1) / (m + 1)
    square = s * s
    series = 1 / 19
    for k in (17, 15, 13, 11, 9, 7, 5, 3):
        series = series * square + 1 / k
    twice = 2 * s
    return e * LN_2 + (twice * (square * series) + twice)


def philox(key: tuple[int, int], counter: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Philox-4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3; 2011)."""
    (k0, k1), (a, b, c, d) = key, counter
    for _ in range(10):
        u, v = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (v >> 32) ^ b ^ k0, v & UINT32, (u >> 32) ^ d ^ k1, u & UINT32
        k0, k1 = (k0 + 0x9E3779B9) & UINT32, (k1 + 0xBB67AE85) & UINT32
    return a, b, c, d


def random_word(seed: int, stream: int, position: int) -> int:
    """The 64 random bits of a draw: Philox with key `seed` and counter (position, stream)."""
    key = (seed & UINT32, seed >> 32)
    words = philox(key, (position & UINT32, position >> 32, stream & UINT32, stream >> 32))
    return words[1] << 32 | words[0]

"""Rotary position embedding: its parameters, and the cosine and sine tables that the operations read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import Any, Literal

import numpy as np

from ..ops.arrays import Float32
from .fields import Fields

Scaling = Literal["none", "linear", "llama3"]
_ROPE_KEYS = {"rope_type", "type", "rope_theta", "factor", "low_freq_factor", "high_freq_factor"}
_ROPE_KEYS |= {"original_max_position_embeddings", "partial_rotary_factor"}


@dataclass(frozen=True, slots=True)
class Rope:
    """Parameters of rotary embedding. "linear" uses `factor`; "llama3" uses `factor` and the fields after it."""

    theta: float = 10000.0
    scaling: Scaling = "none"
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 1.0
    original_max_positions: int = 0


def read_rope(fields: Fields, max_positions: int) -> Rope:
    """From `rope_parameters` (newer layout), or `rope_theta` and `rope_scaling` (older). Both must agree."""
    found = []
    for name in ("rope_parameters", "rope_scaling"):
        section = fields.values.get(name)
        if section is not None and not isinstance(section, dict):
            fields.refuse(name, "be an object or null")
        elif section:
            found.append(_rope_section(fields, name, section, max_positions))
    if len(found) == 2 and found[0] != found[1]:
        fields.refuse("rope_scaling", "agree with `rope_parameters`", "remove one of them")
    return found[0] if found else Rope(theta=fields.number("rope_theta", least=1, default=10000.0))


def _rope_section(fields: Fields, name: str, section: dict[str, Any], max_positions: int) -> Rope:
    top = fields.values
    inner = Fields(f"{fields.source} {name}", section, fields.problems)
    theta = inner.number("rope_theta", least=1, default=fields.number("rope_theta", least=1, default=10000.0))
    if top.get("rope_theta") is not None and theta != top["rope_theta"]:
        inner.refuse("rope_theta", f"equal the outer `rope_theta` ({top['rope_theta']!r})", "remove one")
    if section.get("partial_rotary_factor") not in (None, 1):
        inner.refuse("partial_rotary_factor", "be 1", "partial rotary embedding is not supported")
    key = "rope_type" if section.get("rope_type") is not None else "type"
    kind = section.get(key)
    if kind not in (None, "default", "linear", "llama3"):
        remedy = "or remove it and lower `max_position_embeddings` to the training length"
        inner.refuse(key, "be 'default', 'linear' or 'llama3'", remedy)
    for extra in section.keys() - _ROPE_KEYS:
        if section[extra] is not None:
            inner.refuse(extra, "be absent", "this field is not supported")
    if kind == "linear":
        return Rope(theta, "linear", inner.number("factor", least=1))
    if kind != "llama3":
        return Rope(theta)
    low, high = inner.number("low_freq_factor"), inner.number("high_freq_factor")
    if low >= high:
        inner.refuse("high_freq_factor", f"be above `low_freq_factor` ({low})")
    outer = fields if "original_max_position_embeddings" in top else inner
    original = outer.integer("original_max_position_embeddings", default=max_positions)
    return Rope(theta, "llama3", inner.number("factor", least=1), low, high, original)


def rope_tables(rope: Rope, head_size: int, num_positions: int) -> tuple[Float32, Float32]:
    """cos and sin, each [num_positions, D / 2], of position · inverse frequency; the product is rounded to float32.

    Both are computed in float64 from +, −, · and rint alone, and rounded once to float32: the last bits of a math
    library's sine differ between machines, and the tokens of a seed would differ with them.
    """
    inverse = inverse_frequencies(rope, head_size)
    cos = np.empty((num_positions, len(inverse)), np.float32)
    sin = np.empty_like(cos)
    for start in range(0, num_positions, 64):  # blocks that fit in the cache
        stop = min(start + 64, num_positions)
        angles = np.arange(start, stop, dtype=np.float32)[:, None] * inverse
        cos[start:stop], sin[start:stop] = _cos_sin(angles.astype(np.float64))
    return cos, sin


def inverse_frequencies(rope: Rope, head_size: int) -> Float32:
    """1 / theta^(2i / D), scaled: float32 [D / 2], with the same sequence of roundings as transformers.

    The power is computed in decimal arithmetic and rounded, so that it does not depend on the machine's libm.
    """
    exponents = np.arange(0, head_size, 2, dtype=np.float32) / np.float32(head_size)
    with localcontext(Context(prec=40)):
        theta = Decimal(float(np.float32(rope.theta)))
        powers = [float(theta ** Decimal(float(exponent))) for exponent in exponents]
    inverse = np.float32(1) / np.array(powers, np.float32)
    if rope.scaling == "linear":
        inverse = inverse / np.float32(rope.factor)
    if rope.scaling != "llama3":
        return inverse
    # Llama 3.1: long wavelengths are stretched by `factor`, short ones kept, those between interpolated.
    one, factor = np.float32(1), np.float32(rope.factor)
    low, high = rope.low_freq_factor, rope.high_freq_factor
    wavelength = one / inverse * np.float32(2 * math.pi)
    slow = np.where(wavelength > np.float32(rope.original_max_positions / low), inverse / factor, inverse)
    smooth = one / wavelength * np.float32(rope.original_max_positions) - np.float32(low)
    smooth = smooth / np.float32(high - low)
    between = ~(wavelength < np.float32(rope.original_max_positions / high))
    between &= ~(wavelength > np.float32(rope.original_max_positions / low))
    return np.where(between, (one - smooth) * slow / factor + smooth * slow, slow)


# π/2 in two parts: the first has 33 bits, so that its product with a quadrant number below 2²⁰ is exact.
_HALF_PI = (float.fromhex("0x1.921fb544p+0"), float.fromhex("0x1.0b4611a626331p-34"))
# Taylor series, highest power first; for |r| ≤ π/4 the remainder is below 5e-17.
_SIN = [(-1.0) ** k / math.factorial(2 * k + 1) for k in range(7, 0, -1)]
_COS = [(-1.0) ** k / math.factorial(2 * k) for k in range(8, 0, -1)]


def _cos_sin(angles: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[Float32, Float32]:
    quadrant = np.rint(angles * (2 / math.pi))
    r = (angles - quadrant * _HALF_PI[0]) - quadrant * _HALF_PI[1]
    z = r * r
    s, c = np.full_like(r, _SIN[0]), np.full_like(r, _COS[0])
    for k in _SIN[1:]:
        s = s * z + k
    for k in _COS[1:]:
        c = c * z + k
    s, c = s * z * r + r, c * z + 1.0
    q = quadrant.astype(np.int64)
    odd = (q & 1) == 1
    sin = np.where(odd, c, s) * (1.0 - (q & 2))
    cos = np.where(odd, s, c) * (1.0 - ((q + 1) & 2))
    return cos.astype(np.float32), sin.astype(np.float32)

"""Scores of a beam's next tokens, and candidates in their order, as numbers.

A candidate's key is its place in the order of all of a search's candidates as 64 bits: 32 that order as its score
does, then the complements of its lane (12 bits) and of its token (20 bits). Larger score first, lower lane and then
lower token first on a tie, is larger key first. No candidate has key 0.
"""

from __future__ import annotations

import triton
import triton.language as tl

from ..row import sizes
from ..row.keys import id_of, order_bits, value_of_bits

TOKEN_BITS = tl.constexpr(sizes.MAX_VOCABULARY.bit_length() - 1)
TOKEN_MASK = tl.constexpr(sizes.MAX_VOCABULARY - 1)
LANE_MASK = tl.constexpr((1 << 32) // sizes.MAX_VOCABULARY - 1)
NOTHING_ORDER = tl.constexpr(0x007FFFFF)  # `order_bits` of −inf


@triton.jit
def score_of(x, peak, log_total, total_score):
    """The score of tokens with logits x: their log-probability, rounded, plus the beam's score. Never rises as x falls.

    log_total: ln of the row's mass over its first token's, float64.
    """
    return ((x.to(tl.float64) - peak.to(tl.float64)) - log_total).to(tl.float32) + total_score


@triton.jit
def candidate_key(score, lane, token):
    """The key of a candidate, whose score must not be NaN."""
    place = (~((lane << TOKEN_BITS) | token)).to(tl.uint32, bitcast=True)
    return (order_bits(score).to(tl.uint64) << 32) | place.to(tl.uint64)


@triton.jit
def place_of(keys):
    """Lane and token of a candidate, int32."""
    place = id_of(keys)
    return (place >> TOKEN_BITS) & LANE_MASK, place & TOKEN_MASK


@triton.jit
def quotient(a, b):
    """a / b, rounded once: float64 has bits enough to round a float32 quotient twice."""
    return (a.to(tl.float64) / b.to(tl.float64)).to(tl.float32)


@triton.jit
def score_floor(order, peak, log_total, total_score):
    """`order_bits` of the smallest logit, −inf included, whose score's bits are `order` or more; above the peak's if
    there is none. Element by element.
    """
    top = order_bits(peak)
    below = tl.zeros_like(top)
    bit = tl.full((), 0x80000000, tl.uint32)
    while bit != 0:
        trial = below | bit
        score = score_of(value_of_bits(trial), peak, log_total, total_score)
        reaches = (trial > top) | ((trial >= NOTHING_ORDER) & (order_bits(score) >= order))
        below = tl.where(reaches, below, trial)
        bit >>= 1
    return below + 1

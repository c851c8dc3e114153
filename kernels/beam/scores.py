"""Scores of a beam's next tokens, and candidates in their order, as numbers.

A candidate's key is its place in the order of all of a search's candidates as 64 bits: 32 that order as its score
does, then the complements of its lane (12 bits) and of its token (20 bits). Larger score first, lower lane and then
lower token first on a tie, is larger key first. No candidate has key 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from ..row import sizes
from ..row.keys import id_of, order_bits, value_of_bits

TOKEN_BITS = tl.constexpr(sizes.MAX_VOCABULARY.bit_length() - 1)
TOKEN_MASK = tl.constexpr(sizes.MAX_VOCABULARY - 1)
LANE_MASK = tl.constexpr((1 << 32) // sizes.MAX_VOCABULARY - 1)
NOTHING_ORDER = tl.constexpr(0x007FFFFF)  # `order_bits` of −inf


class Beam(NamedTuple):
    """What scores a beam's next tokens; of one beam, or element by element of several."""

    peak: Any  # float32: its row's largest logit
    log_total: Any  # float64: ln of the row's mass over its first token's
    score: Any  # float32: its own so far


class OneSearch(NamedTuple):
    """Where one search lies among all: its slot and rows. Scalars."""

    slot: Any
    first: Any  # its first row, int64
    beams: Any  # its rows, and lanes


@triton.jit
def load_beams(searches, work, search, rank, there):
    """The beams `rank` of a search, where they are there; zeros elsewhere."""
    lanes = tl.load(searches.lane + search.slot)
    peak = tl.load(work.peak + search.first + rank, mask=there, other=0.0)
    log_total = tl.load(work.log_total + search.first + rank, mask=there, other=0.0)
    score = tl.load(searches.score + lanes + rank, mask=there, other=0.0)
    return Beam(peak, log_total, score)


@triton.jit
def score_of(x, beam):
    """The score of tokens with logits x: their log-probability, rounded, plus the beam's. Never rises as x falls."""
    return ((x.to(tl.float64) - beam.peak.to(tl.float64)) - beam.log_total).to(tl.float32) + beam.score


@triton.jit
def candidate_key(score, lane, token):
    """The key of a candidate, whose score must not be NaN. lane counts from the search's first."""
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
def score_floor(order, beam):
    """`order_bits` of the smallest logit, −inf included, whose score's bits are `order` or more.

    Above the peak's if there is none. Element by element.
    """
    top = order_bits(beam.peak)
    below = tl.zeros_like(top)
    bit = tl.full((), 0x80000000, tl.uint32)
    while bit != 0:
        trial = below | bit
        score = score_of(value_of_bits(trial), beam)
        reaches = (trial > top) | ((trial >= NOTHING_ORDER) & (order_bits(score) >= order))
        below = tl.where(reaches, below, trial)
        bit >>= 1
    return below + 1

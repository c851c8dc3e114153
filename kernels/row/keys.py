"""Tokens in their order, as numbers.

A key is a token's place in the order of all tokens, as 64 bits: 32 that order as its value does, then the complement
of its id. Larger value first, and lower id first on a tie, is larger key first; so what is kept is {key >= boundary}.
No finite value has key 0, which stands for no token.
"""

from __future__ import annotations

import triton
import triton.language as tl

LOWEST = tl.constexpr(-3.4028234663852886e38)  # the smallest finite float32
LOWEST_ORDER = tl.constexpr(0x00800000)  # its 32 bits
MINUS_ZERO = tl.constexpr(-0x80000000)  # the bits of −0.0
ALL = tl.constexpr(0xFFFFFFFFFFFFFFFF)  # above every key


@triton.jit
def order_bits(z):
    """32 bits that order as float32 values do, −0.0 with +0.0."""
    bits = (z + 0.0).to(tl.int32, bitcast=True)
    return (bits ^ ((bits >> 31) | MINUS_ZERO)).to(tl.uint32, bitcast=True)


@triton.jit
def value_of_bits(order):
    """The float32 value whose `order_bits` these are."""
    bits = order.to(tl.int32, bitcast=True)
    return (bits ^ (~(bits >> 31) | MINUS_ZERO)).to(tl.float32, bitcast=True)


@triton.jit
def key_of(z, ids):
    """The key of token ids (int32) with value z, which must not be NaN."""
    return (order_bits(z).to(tl.uint64) << 32) | (~ids).to(tl.uint32, bitcast=True).to(tl.uint64)


@triton.jit
def value_of(keys):
    """The value in a key."""
    return value_of_bits((keys >> 32).to(tl.uint32))


@triton.jit
def id_of(keys):
    """The token id in a key, int32."""
    return ~(keys & 0xFFFFFFFF).to(tl.uint32).to(tl.int32, bitcast=True)


@triton.jit
def exchange(x, WIDTH: tl.constexpr, STEP: tl.constexpr, DESCENDING: tl.constexpr):
    """Orders the pairs of x whose places differ by STEP: runs of WIDTH alternately one way and the other."""
    SIZE: tl.constexpr = x.shape[0]
    pairs = tl.reshape(x, [SIZE // (2 * STEP), 2, STEP])
    other = tl.sum(pairs, 1, keep_dims=True) - pairs
    is_second = tl.arange(0, 2)[None, :, None]
    turned = ((tl.arange(0, SIZE // (2 * STEP)) * 2 * STEP) // WIDTH % 2)[:, None, None]
    # Equal numbers may stay or go.
    keeps = ((pairs > other) if DESCENDING else (pairs < other)) == (is_second == turned)
    return tl.reshape(tl.where(keeps, pairs, other), [SIZE])


@triton.jit
def sort(x, LOG_SIZE: tl.constexpr, DESCENDING: tl.constexpr):
    """The uint64 x [2 ** LOG_SIZE] in order: a bitonic network, which compiles faster than tl.sort."""
    for i in tl.static_range(1, LOG_SIZE + 1):
        for j in tl.static_range(i):
            x = exchange(x, 2**i, 2 ** (i - 1 - j), DESCENDING)
    return x

"""Values that are drawn from: logits with a mask and edits applied."""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from ..row.mass import INFINITY
from ..row.tiles import LARGEST_ID, TILE, ids_of, load_values
from .given import EDITS, FREQUENCY, MASK, PRESENCE, REPETITION, number_or_row


class Changes(NamedTuple):
    """What changes logits before the temperature: a mask, and the edits of docs/kernels.md.

    mask [S, ceil(V / 32)] int32, rows `mask_stride` apart. start int64, count int32 [S] say which entries of token
    int32, bias float32, seen int32 [E] are a row's. Penalties: a tensor [S] if `given` says so, else a number.
    """

    mask: Any
    mask_stride: Any
    start: Any
    count: Any
    token: Any
    bias: Any
    seen: Any
    repetition: Any
    presence: Any
    frequency: Any
    repetition_number: Any
    presence_number: Any
    frequency_number: Any


@triton.jit
def num_edits(changes, given, s, PLAIN: tl.constexpr):
    """Entries of row s."""
    if PLAIN:
        return 0
    return tl.load(changes.count + s, mask=(given & EDITS) != 0, other=0)


@triton.jit
def masked(x, ids, logits, changes, given, s):
    """x, or −inf where the mask forbids the token."""
    end = tl.where((given & MASK) != 0, logits.size, 0)
    word = tl.load(changes.mask + s * changes.mask_stride + ids // 32, mask=ids < end, other=-1)
    return tl.where(((word >> (ids % 32)) & 1) != 0, x, -INFINITY)


@triton.jit
def edited(x, bias, seen, repetition, presence, frequency):
    """A token's value after its bias and the three penalties. Scalars.

    The quotient through float64 is the float32 quotient: 53 bits are enough to round twice.
    """
    z = x + bias
    quotient = (z.to(tl.float64) / repetition.to(tl.float64)).to(tl.float32)
    z = tl.where(seen >= 0, tl.where(z > 0, quotient, z * repetition), z)
    return tl.where(seen > 0, (z - presence) - frequency * seen.to(tl.float32), z)


@triton.jit
def with_edits(z, ids, first, logits, changes, given, s):
    """The tile's values with the row's edits among its ids, which must be consecutive from `first`."""
    start = tl.load(changes.start + s, mask=(given & EDITS) != 0, other=0)
    count = num_edits(changes, given, s, False)
    begin = 0
    end = 0
    for i in range(0, count, 512):
        at = i + tl.arange(0, 512)
        tokens = tl.load(changes.token + start + at, mask=at < count, other=LARGEST_ID)
        begin += tl.sum((tokens < first).to(tl.int32))
        end += tl.sum((tokens < first + TILE).to(tl.int32))
    repetition = number_or_row(given, REPETITION, changes.repetition, s, changes.repetition_number).to(tl.float32)
    presence = number_or_row(given, PRESENCE, changes.presence, s, changes.presence_number).to(tl.float32)
    frequency = number_or_row(given, FREQUENCY, changes.frequency, s, changes.frequency_number).to(tl.float32)
    for entry in range(begin, end):
        token = tl.load(changes.token + start + entry)
        bias = tl.load(changes.bias + start + entry)
        seen = tl.load(changes.seen + start + entry)
        x = masked(load_values(logits, s, token), token, logits, changes, given, s)
        z = tl.where(ids == token, edited(x, bias, seen, repetition, presence, frequency), z)
    return z


@triton.jit
def processed(x, ids, first, logits, changes, given, s, PLAIN: tl.constexpr):
    """Values of row s at `ids` as they are drawn from. If the row has edits, they are 1024 consecutive from `first`."""
    if PLAIN:
        return x
    return with_edits(masked(x, ids, logits, changes, given, s), ids, first, logits, changes, given, s)


@triton.jit
def load_tile(logits, changes, given, s, tile, PLAIN: tl.constexpr):
    """The processed values [1024] of a tile."""
    ids = ids_of(tile)
    return processed(load_values(logits, s, ids), ids, tile * TILE, logits, changes, given, s, PLAIN)

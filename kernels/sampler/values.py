"""Values: what is drawn from, which is logits after a mask and edits."""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from ..row.mass import INFINITY
from ..row.tiles import LARGEST_ID, TILE, ids_of, load_values
from .given import EDITS, FREQUENCY, MASK, PRESENCE, REPETITION, number_or_row

ENTRIES = tl.constexpr(512)  # of a row's edits, looked at together


class Changes(NamedTuple):
    """What changes logits before the temperature: a mask, and the edits of docs/kernels.md.

    What was not given is any tensor of its type, and is not read.
    """

    mask: Any  # [S, ceil(V / 32)] int32, rows mask_stride apart
    mask_stride: Any
    start: Any  # [S] int64: where a row's entries start, of the three below
    count: Any  # [S] int32: and how many there are
    token: Any  # [E] int32, ascending in a row
    bias: Any  # [E] float32
    seen: Any  # [E] int32
    repetition: Any  # [S], as the next two; the numbers below in their place if they are not given
    presence: Any
    frequency: Any
    repetition_number: Any
    presence_number: Any
    frequency_number: Any


class Values(NamedTuple):
    """Where values come from. given: the flags of given.py.

    Beside it goes PLAIN: neither mask nor edits, so that values are the logits.
    """

    logits: Any
    changes: Any
    given: Any


@triton.jit
def num_edits(values, s, PLAIN: tl.constexpr):
    """How many edits row s has."""
    if PLAIN:
        return 0
    return tl.load(values.changes.count + s, mask=(values.given & EDITS) != 0, other=0)


@triton.jit
def masked(values, s, x, ids):
    """Logits x of the tokens `ids`; −inf where the mask forbids the token."""
    end = tl.where((values.given & MASK) != 0, values.logits.size, 0)
    changes = values.changes
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
def with_edits(values, s, z, ids, first):
    """A tile's values z after the row's edits of its tokens `ids` [1024], which are consecutive from `first`."""
    changes, given = values.changes, values.given
    start = tl.load(changes.start + s, mask=(given & EDITS) != 0, other=0)
    count = num_edits(values, s, False)
    begin = 0
    end = 0
    for i in range(0, count, ENTRIES):
        at = i + tl.arange(0, ENTRIES)
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
        x = masked(values, s, load_values(values.logits, s, token), token)
        z = tl.where(ids == token, edited(x, bias, seen, repetition, presence, frequency), z)
    return z


@triton.jit
def processed(values, s, x, ids, first, PLAIN: tl.constexpr):
    """Values of row s for its logits x at `ids`. If the row has edits, ids are 1024 consecutive ones from `first`."""
    if PLAIN:
        return x
    return with_edits(values, s, masked(values, s, x, ids), ids, first)


@triton.jit
def load_tile(values, s, tile, PLAIN: tl.constexpr):
    """The values [1024] of a tile of consecutive ids."""
    ids = ids_of(tile)
    return processed(values, s, load_values(values.logits, s, ids), ids, tile * TILE, PLAIN)

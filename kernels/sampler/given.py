"""Which parameters of a call are tensors [S]; the rest are numbers for all rows."""

from __future__ import annotations

import triton
import triton.language as tl

# Flags; their sum is `given`.
TEMPERATURE = tl.constexpr(1)
TOP_K = tl.constexpr(2)
TOP_P = tl.constexpr(4)
MIN_P = tl.constexpr(8)
STREAM = tl.constexpr(16)
REPETITION = tl.constexpr(32)
PRESENCE = tl.constexpr(64)
FREQUENCY = tl.constexpr(128)
MASK = tl.constexpr(256)
EDITS = tl.constexpr(512)


@triton.jit
def number_or_row(given, FLAG: tl.constexpr, tensor, s, number):
    """Row s of a parameter: from its tensor [S] if that was given, else the number."""
    return tl.load(tensor + s, mask=(given & FLAG) != 0, other=number)

"""Many 64-bit numbers from one: random streams of continuations, seeds of the states of one call."""

from __future__ import annotations

_MASK64 = 2**64 - 1


def splitmix64(stream: int, i: int) -> int:
    """The i-th output of the SplitMix64 generator seeded with `stream` (Steele, Lea, Flood 2014)."""
    z = (stream + i * 0x9E3779B97F4A7C15) & _MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    return z ^ (z >> 31)


def numbered(first: int, i: int) -> int:
    """The i-th of the numbers that begin with `first`, as far as one can tell independent: splitmix64(first, i)."""
    return splitmix64(first, i) if i else first

"""A checksum of a tensor's bytes at memory speed: cheap enough to compute at every start."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK = 1 << 16  # bytes
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


class Checksum:
    """Covers every byte, and costs about a tenth of a cryptographic hash.

    The bytes are cut into blocks of 64 KiB, the last one padded with zeros; each is 8192 little-endian 64-bit lanes.
    From acc = 0, each block does, lane by lane modulo 2⁶⁴: acc *= M; acc ^= acc >> 32; acc += block. The result is
    BLAKE2b of the number of bytes and of the lanes used. M is odd, so each step is a bijection in acc and in the block:
    a change within one block is always detected. Changes in several blocks cancel only if they do so in every lane they
    touch, with probability 2⁻⁶⁴ each. This protects against mistakes, not against forgery.
    """

    __slots__ = ("_lanes", "_scratch", "_size")

    def __init__(self) -> None:
        self._lanes = np.zeros(BLOCK // 8, np.uint64)
        self._scratch = np.empty_like(self._lanes)
        self._size = 0

    def update(self, data: npt.NDArray[np.uint8]) -> None:
        """Adds bytes; in every update but the last, their number must be a multiple of BLOCK."""
        self._size += data.size
        whole = data.size // BLOCK * BLOCK
        for block in data[:whole].view("<u8").reshape(-1, BLOCK // 8):
            self._mix(block)
        if whole < data.size:
            last = np.zeros(BLOCK, np.uint8)
            last[: data.size - whole] = data[whole:]
            self._mix(last.view("<u8"))

    def _mix(self, block: npt.NDArray[Any]) -> None:
        lanes, scratch = self._lanes, self._scratch
        np.multiply(lanes, _MULTIPLIER, lanes)
        np.right_shift(lanes, _SHIFT, scratch)
        np.bitwise_xor(lanes, scratch, lanes)
        np.add(lanes, block, lanes)

    def digest(self) -> bytes:
        """The checksum: 32 bytes."""
        lanes = self._lanes.astype("<u8").tobytes()[: self._size]
        return hashlib.blake2b(self._size.to_bytes(8, "little") + lanes, digest_size=32).digest()

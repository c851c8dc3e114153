"""Memory in which every access is checked: where it goes, how it is aligned, and what else has been there.

Two threads of one launch may touch the same byte, one of them writing, only if something orders them: a barrier of
their program (or warp), or an atomic with `acq_rel`; or if both write what is the same. What orders threads is told
by vector clocks, one of each warp, as in "FastTrack: efficient and precise dynamic race detection" (Flanagan and
Freund, 2009). Atomics are no races.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
WARP = 32
LOW_HALF = 0xFFFFFFFF


class Fault(Exception):
    """The program did what it must not do."""


class Clocks:
    """What each warp knows to be over: of warp v, all before its time known[w, v]. Threads are numbered by the grid."""

    def __init__(self, num_warps: int) -> None:
        self.known = np.zeros((num_warps, num_warps), np.int64)
        self.now = np.ones(num_warps, np.int64)
        self.released: dict[int, Array] = {}

    def stamps(self, threads: Array) -> Array:
        """Thread and time in one number, never 0."""
        return (self.now[threads // WARP] << 32) | (threads + 1)

    def ordered(self, stamps: Array, threads: Array, in_step: bool) -> Array:
        """Whether what was stamped is over for these threads. in_step: to all of its warp, what one has done is."""
        if not stamps.any():
            return np.ones(stamps.shape, np.bool_)
        who = (stamps & LOW_HALF) - 1
        known = self.known[threads // WARP, who // WARP]
        same = who // WARP == threads // WARP if in_step else who == threads
        return (stamps == 0) | same | ((stamps >> 32) <= known)

    def barrier(self, warps: Array) -> None:
        """warps [programs, warps]: each program's have met."""
        known = self.known[warps].max(1)
        for i, members in enumerate(warps):
            known[i, members] = self.now[members]
            self.known[members] = known[i]
        self.now[warps] += 1

    def exchange(self, address: int, warp: int) -> None:
        """An atomic that acquires and releases."""
        known = np.maximum(self.known[warp], self.released.get(address, 0))
        self.known[warp] = known
        shared = known.copy()
        shared[warp] = self.now[warp]
        self.released[address] = shared
        self.now[warp] += 1


class Shadow:
    """Who wrote and read each byte last: stamps, 0 for nobody. `also_read`: the last reader of another warp."""

    def __init__(self, size: int, in_step: bool) -> None:
        self.in_step = in_step
        self.written, self.read, self.also_read = (np.zeros(size, np.int64) for _ in range(3))

    def on_read(self, cells: Array, threads: Array, clocks: Clocks) -> Array:
        """cells [n, bytes], threads [n, 1]. Gives where it races with a write."""
        bad = ~clocks.ordered(self.written[cells], threads, self.in_step)
        mine = np.broadcast_to(clocks.stamps(threads), cells.shape)
        old = self.read[cells]
        self.read[cells] = mine
        for stamps, readers in ((old, threads), (mine, (self.read[cells] & LOW_HALF) - 1)):
            others = (stamps != 0) & (((stamps & LOW_HALF) - 1) // WARP != readers // WARP)
            if others.any():
                self.also_read[cells[others]] = stamps[others]
        return bad

    def on_write(self, cells: Array, threads: Array, clocks: Clocks, same: Array) -> Array:
        """same [n, 1]: what is there already, which several may write. Of those that write at once, one is noted."""
        bad = ~clocks.ordered(self.written[cells], threads, self.in_step) & ~same
        for stamps in (self.read, self.also_read):
            bad |= ~clocks.ordered(stamps[cells], threads, self.in_step)
        self.written[cells] = np.broadcast_to(clocks.stamps(threads), cells.shape)
        return bad


class Memory:
    """Bytes from address `base` on. allowed: where they may be touched.

    What a program has for itself may not be read before it is written, and there a warp's threads need
    `bar.warp.sync` to be ordered. In global memory they are taken to go in step, as Triton takes them.
    """

    def __init__(self, name: str, size: int, base: int = 0, is_private: bool = False) -> None:
        self.name, self.base, self.is_private = name, base, is_private
        self.bytes = np.zeros(size + -size % 16, np.uint8)
        self.allowed = np.zeros(size + -size % 16, np.bool_)
        self.shadow = Shadow(size + -size % 16, not is_private)

    def cells(self, addresses: Array, size: int) -> Array:
        """The bytes [n, size] of accesses, which must all lie within and be aligned."""
        at = addresses.astype(np.int64) - self.base
        if (wrong := at % size != 0).any():
            raise Fault(f"{self.name}: {size} bytes at {addresses[wrong][:4]}, which is not aligned")
        cells = at[:, None] + np.arange(size)
        outside = (at < 0) | (at > len(self.bytes) - size)
        if not outside.any():
            outside = ~self.allowed[cells].all(1)
        if outside.any():
            raise Fault(f"{self.name}: {size} bytes at {at[outside][:4]} are nobody's; {outside.sum()} threads do so")
        return cells

    def load(self, addresses: Array, dtype: np.dtype[Any], count: int, threads: Array, clocks: Clocks) -> Array:
        """[n, count]"""
        cells = self.cells(addresses, dtype.itemsize * count)
        bad = self.shadow.on_read(cells, threads[:, None], clocks)
        if bad.any():
            self._tell("reads", cells, bad, threads)
        if self.is_private and (self.shadow.written[cells] == 0).any():
            raise Fault(f"{self.name}: read, but never written")
        at = cells[:, 0] // dtype.itemsize
        return self.bytes.view(dtype)[at[:, None] + np.arange(count)]

    def store(self, addresses: Array, values: Array, threads: Array, clocks: Clocks) -> None:
        """values [n, count]"""
        count, size = values.shape[1], values.dtype.itemsize
        cells = self.cells(addresses, size * count)
        elements, at = self.bytes.view(values.dtype), cells[:, :1] // size + np.arange(count)
        same = (elements[at] == values).all(1)[:, None]
        bad = self.shadow.on_write(cells, threads[:, None], clocks, same)
        if bad.any():
            self._tell("writes", cells, bad, threads)
        elements[at] = values  # those that write at once must write the same
        if (different := (elements[at] != values).any(1)).any():
            self._tell("writes at once with others something else to", cells, different[:, None], threads)

    def add(self, address: int, value: int) -> int:
        """An atomic: gives what was there."""
        at = self.cells(np.array([address]), 4)[0, 0] // 4
        words = self.bytes.view(np.uint32)
        old = int(words[at])
        words[at] = (old + value) % 2**32
        return old

    def _tell(self, what: str, cells: Array, bad: Array, threads: Array) -> None:
        row, column = np.argwhere(bad)[0]
        cell = int(cells[row, column])
        stamps = (self.shadow.written[cell], self.shadow.read[cell], self.shadow.also_read[cell])
        others = [(int(stamp & LOW_HALF) - 1, int(stamp >> 32)) for stamp in stamps]
        raise Fault(
            f"{self.name}: thread {threads[row]} {what} byte {cell}, with nothing between it and (thread, time) of the "
            f"last write and reads: {others}; {bad.any(1).sum()} threads do so"
        )

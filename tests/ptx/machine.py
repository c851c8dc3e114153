"""Runs PTX on the CPU: all threads of some programs at once, each register a numpy array.

Threads that stand at the same instruction go on together, the hindmost first. Since races are faults
(memory.py), no other order of threads would give other results; programs come in a random order.
"""

from __future__ import annotations

import math

import numpy as np

from ptx.decode import Code
from ptx.memory import WARP, Array, Clocks, Fault, Memory
from ptx.parse import Program
from ptx.steps import Selection

MOST_REGISTER_BYTES = 1 << 27
ALIGNMENT = 16
MOST_TURNS = 300_000  # several times what any of the tests' launches needs
POOL = np.zeros(MOST_REGISTER_BYTES // 8, np.uint64)  # what is left in registers is as good as noise


def narrowest(lanes: Array) -> Selection:
    """A slice where it will do: numpy then needs no copy."""
    first, last = int(lanes[0]), int(lanes[-1])
    return slice(first, last + 1) if last - first + 1 == len(lanes) else lanes


class Machine:
    """One launch of a program on a grid of up to three dimensions. shared: bytes of shared memory of a program."""

    def __init__(
        self, code: Code, grid: tuple[int, ...], memory: Memory, parameters: dict[str, bytes], shared: int
    ) -> None:
        self.code, self.program, self.grid, self.parameters = code, code.program, (*grid, 1, 1)[:3], parameters
        self.shared_bytes, self.memories = shared, {"global": memory}
        self.clocks = Clocks(math.prod(grid) * self.program.threads // WARP)

    def run(self, rng: np.random.Generator) -> None:
        """As many programs at once as there is room for registers."""
        order = rng.permutation(math.prod(self.grid))
        lanes = MOST_REGISTER_BYTES // bytes_of_registers(self.program)
        at_once = max(1, lanes // self.program.threads)
        for i in range(0, len(order), at_once):
            self.begin(order[i : i + at_once])
            self.rng = rng
            self.finish()

    def begin(self, programs: Array) -> None:
        """All threads of these programs at the first instruction."""
        threads, n = self.program.threads, len(programs)
        self.size = n * threads
        self.thread = (programs[:, None] * threads + np.arange(threads)).reshape(-1)
        self.R, special = self.code.slots.arrays(self.size, POOL)
        for name, array in special.items():
            array[:] = self.special(name, programs)
        self.private = {
            "shared": self.part("shared", self.shared_bytes, np.repeat(np.arange(n), threads)),
            "local": self.part("local", self.program.local_bytes, np.arange(self.size)),
        }
        self.waiting: dict[int, Array] = {0: np.arange(self.size)}
        self.blocked: dict[int, Array] = {}

    def special(self, name: str, programs: Array) -> Array:
        """A special register of all threads: numbers and sizes of programs and threads."""
        threads, (kind, axis) = self.program.threads, name[1:].split(".")
        places = np.unravel_index(programs, self.grid, "F")["xyz".index(axis)]
        lane = np.arange(threads) if axis == "x" else np.zeros(threads, np.int64)
        return {
            "tid": np.tile(lane, len(programs)),
            "ntid": np.array(threads if axis == "x" else 1),
            "ctaid": np.repeat(places, threads),
            "nctaid": np.array(self.grid["xyz".index(axis)]),
        }[kind]

    def part(self, space: str, size: int, owners: Array) -> tuple[int, Array]:
        """New memory of which each owner has this much: that, and where each thread's part starts."""
        room = size + -size % ALIGNMENT
        self.memories[space] = memory = Memory(f"{space} memory", room * (int(owners[-1]) + 1), is_private=True)
        memory.allowed[:] = True
        return size, owners * room

    def finish(self) -> None:
        with np.errstate(all="ignore"):
            for _ in range(MOST_TURNS):
                if not self.waiting:
                    break
                at = min(self.waiting)
                lanes = self.waiting.pop(at)
                try:
                    self.advance(at, lanes)
                except Exception as error:
                    instruction = self.code.instructions[self.at]
                    error.add_note(f"{self.program.name}, line {instruction.line}: {instruction.text}")
                    raise
        if self.waiting:
            raise Fault(f"{self.program.name}: goes on and on")
        if self.blocked:
            lines = [self.code.instructions[at].text for at in self.blocked]
            raise Fault(f"{self.program.name}: threads wait for others that do not come: {lines}")

    def arrive(self, at: int, lanes: Array) -> None:
        if len(lanes):
            there = self.waiting.get(at)
            self.waiting[at] = lanes if there is None else np.union1d(there, lanes)

    def advance(self, at: int, lanes: Array) -> None:
        """Up to where threads may part, meet or wait."""
        self.at = at
        kind = self.code.kinds[at]
        if kind in ("branch", "ret"):
            taken = self.code.taken(self, at, lanes)
            if kind == "branch":
                self.arrive(self.code.target(at), lanes[taken])
            self.arrive(at + 1, lanes[~taken])
            self.code.visited[at] = True
        elif kind in ("warp", "program"):
            lanes = self.complete(at, lanes, WARP if kind == "warp" else self.program.threads)
            if len(lanes):
                self.code.steps[at](self, narrowest(lanes))
                self.code.visited[at] = True
                self.arrive(at + 1, lanes)
        else:
            selection, end = narrowest(lanes), self.code.ends[at]
            for self.at in range(at, end):
                self.code.steps[self.at](self, selection)
            self.code.visited[at:end] = True
            self.arrive(end, lanes)

    def complete(self, at: int, lanes: Array, group: int) -> Array:
        """Those whose warp or program is here as a whole; the others wait, for good if one of it has returned."""
        if len(lanes) == self.size:
            return lanes
        if at in self.blocked:
            lanes = np.union1d(lanes, self.blocked.pop(at))
        here = np.bincount(lanes // group, minlength=self.size // group)
        whole = here[lanes // group] == group
        if not whole.all():
            self.blocked[at] = lanes[~whole]
        return lanes[whole]

    def barrier(self, selection: Selection, group: int) -> None:
        warps = self.thread[selection][::WARP] // WARP
        self.clocks.barrier(warps.reshape(-1, group // WARP))


def bytes_of_registers(program: Program) -> int:
    """Of one thread, with some to spare for what decoding adds."""
    return 64 + 8 * sum(count for _, count in program.registers.values())

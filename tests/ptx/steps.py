"""PTX instructions that touch memory or other threads, as steps of the machine."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ptx.memory import WARP, Array, Fault
from ptx.operations import Function, UnknownError, dtype_of, largest, smallest
from ptx.parse import Address, Instruction, Operand, size_of
from ptx.slots import Slots

if TYPE_CHECKING:
    from ptx.machine import Machine

Selection = Any  # a slice or the numbers of threads
Step = Callable[["Machine", Selection], None]
LANES = np.arange(WARP)
REDUCTIONS: dict[str, Function] = {
    "add": lambda a, b: a + b,
    "min": smallest,
    "max": largest,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
}


def decode_special(slots: Slots, instruction: Instruction) -> Step | None:
    """None for an instruction that is neither."""
    opcode, operands = instruction.opcode, instruction.operands
    for start, decode in SPECIAL.items():
        if opcode.startswith(start):
            return decode(slots, opcode, operands)
    if opcode.startswith("mov.b") and any(isinstance(operand, tuple) for operand in operands):
        return pack(slots, opcode, operands)
    return None


def pack(slots: Slots, opcode: str, operands: tuple[Operand, ...]) -> Step:
    """A register from its halves, or the halves from it; `_` is one that is not wanted."""
    type_ = opcode.removeprefix("mov.")
    half = f"b{4 * size_of(type_)}"
    target, source = operands
    if isinstance(target, tuple) and len(target) == 2:
        (whole,) = [slots.number(source, type_)]
        parts = [(i, slots.number(part, half)) for i, part in enumerate(target) if part != "_"]

        def split(machine: Machine, s: Selection) -> None:
            halves = np.ascontiguousarray(machine.R[whole][s]).view(dtype_of(half)).reshape(-1, 2)
            for i, part in parts:
                machine.R[part][s] = halves[:, i]

        return split
    if not isinstance(source, tuple) or len(source) != 2:
        raise UnknownError(opcode)
    result, low, high = slots.number(target, type_), slots.number(source[0], half), slots.number(source[1], half)

    def join(machine: Machine, s: Selection) -> None:
        halves = np.stack([machine.R[low][s], machine.R[high][s]], 1)
        machine.R[result][s] = halves.view(dtype_of(type_))[:, 0]

    return join


def place_of(slots: Slots, space: str, operand: Operand, size: int) -> Callable[[Machine, Selection], Array]:
    """The addresses of an access of so many bytes; of what a program or a thread has for itself, within that of all."""
    assert isinstance(operand, Address)
    base, offset = slots.number(operand.base, "u32" if space == "shared" else "s64"), operand.offset

    def globally(machine: Machine, s: Selection) -> Array:
        return machine.R[base][s] + offset

    def privately(machine: Machine, s: Selection) -> Array:
        own, starts = machine.private[space]
        addresses = machine.R[base][s].astype(np.int64) + offset
        if ((addresses < 0) | (addresses > own - size)).any():
            raise Fault(f"{space} memory: {size} bytes at {addresses.max()} of {own}")
        return addresses + starts[s]

    return globally if space == "global" else privately


def parts_of(opcode: str, operand: Operand) -> tuple[str, str, tuple[str, ...]]:
    """Space, type and registers of a load or store. Without a space it is of any, which Triton has for local alone."""
    _, *space, type_ = opcode.split(".")
    registers = operand if isinstance(operand, tuple) else (str(operand),)
    vector = [space.pop()] if space and space[-1][0] == "v" else []
    if vector != ([f"v{len(registers)}"] if len(registers) > 1 else []):
        raise UnknownError(opcode)
    if space not in ([], ["local"], ["global"], ["shared"]):
        raise UnknownError(opcode)
    return space[0] if space else "local", type_, registers


def load(slots: Slots, opcode: str, operands: tuple[Operand, ...]) -> Step:
    space, type_, registers = parts_of(opcode, operands[0])
    targets, dtype = [slots.target(register, type_) for register in registers], dtype_of(type_)
    place = place_of(slots, space, operands[1], size_of(type_) * len(registers))

    def run(machine: Machine, s: Selection) -> None:
        memory = machine.memories[space]
        values = memory.load(place(machine, s), dtype, len(targets), machine.thread[s], machine.clocks)
        for i, target in enumerate(targets):
            machine.R[target][s] = values[:, i]

    return run


def store(slots: Slots, opcode: str, operands: tuple[Operand, ...]) -> Step:
    space, type_, registers = parts_of(opcode, operands[1])
    sources = [slots.number(register, type_) for register in registers]
    place = place_of(slots, space, operands[0], size_of(type_) * len(registers))

    def run(machine: Machine, s: Selection) -> None:
        values = np.stack([machine.R[source][s] for source in sources], 1)
        machine.memories[space].store(place(machine, s), values, machine.thread[s], machine.clocks)

    return run


def load_parameter(slots: Slots, opcode: str, operands: tuple[Operand, ...]) -> Step:
    type_, address = opcode.removeprefix("ld.param."), operands[1]
    target, dtype = slots.target(operands[0], type_), dtype_of(type_)
    assert isinstance(address, Address)
    name, offset = address.base, address.offset

    def run(machine: Machine, s: Selection) -> None:
        machine.R[target][s] = np.frombuffer(machine.parameters[name], dtype, 1, offset)[0]

    return run


def atomic_add(slots: Slots, opcode: str, operands: tuple[Operand, ...]) -> Step:
    """One thread after another, in a random order."""
    if opcode not in ("atom.global.gpu.relaxed.add.u32", "atom.global.gpu.acq_rel.add.u32"):
        raise UnknownError(opcode)
    target, value = slots.number(operands[0], "u32"), slots.number(operands[2], "u32")
    place, orders = place_of(slots, "global", operands[1], 4), "acq_rel" in opcode

    def run(machine: Machine, s: Selection) -> None:
        addresses, threads = place(machine, s), machine.thread[s]
        values, old = machine.R[value][s], np.zeros(len(threads), np.uint32)
        for i in machine.rng.permutation(len(threads)):
            old[i] = machine.memories["global"].add(int(addresses[i]), int(values[i]))
            if orders:
                machine.clocks.exchange(int(addresses[i]), int(threads[i]) // WARP)
        machine.R[target][s] = old

    return run


@functools.cache
def source_lanes(way: str, distance: int, limit: int) -> Array:
    """For each lane of a warp, the lane whose value shfl.sync gives it."""
    if limit != {"up": 0, "bfly": WARP - 1, "idx": WARP - 1}.get(way):
        raise UnknownError(f"shfl.sync.{way} within {limit}")
    lanes = {"up": LANES - distance, "bfly": LANES ^ distance, "idx": np.full(WARP, distance % WARP)}[way]
    return np.where((lanes >= 0) & (lanes < WARP), lanes, LANES)


def shuffle(slots: Slots, opcode: str, operands: tuple[Operand, ...]) -> Step:
    way = opcode.split(".")[2]
    target, source = slots.number(operands[0], "b32"), slots.number(operands[1], "b32")
    distance, limit, members = (slots.number(operand, "u32") for operand in operands[2:])

    def run(machine: Machine, s: Selection) -> None:
        R = machine.R
        every_lane(R[members][s])
        amounts, last = R[distance][s].reshape(-1, WARP), int(R[limit][s][0])
        values = R[source][s].reshape(-1, WARP)
        if (amounts == amounts[0, 0]).all():
            R[target][s] = values[:, source_lanes(way, int(amounts[0, 0]), last)].reshape(-1)
        else:
            lanes = np.stack([np.diagonal(np.stack([source_lanes(way, int(n), last) for n in row])) for row in amounts])
            R[target][s] = np.take_along_axis(values, lanes, 1).reshape(-1)

    return run


def every_lane(members: Array) -> None:
    if (members != 0xFFFFFFFF).any():
        raise UnknownError("part of a warp")


def reduce(slots: Slots, opcode: str, operands: tuple[Operand, ...]) -> Step:
    name, type_ = opcode.split(".")[2:]
    target, source, members = (slots.number(o, t) for o, t in zip(operands, (type_, type_, "u32"), strict=True))
    function = REDUCTIONS[name]

    def run(machine: Machine, s: Selection) -> None:
        every_lane(machine.R[members][s])
        values = machine.R[source][s].reshape(-1, WARP)
        for half in (16, 8, 4, 2, 1):
            values = function(values[:, :half].copy(), values[:, half:].copy())
        machine.R[target][s] = np.repeat(values[:, 0], WARP)

    return run


def load_matrices(slots: Slots, opcode: str, operands: tuple[Operand, ...]) -> Step:
    """ldmatrix: lane 8 j + i has the address of row i of matrix j, of which each lane gets the four bytes due to it."""
    registers = operands[0]
    if opcode != f"ldmatrix.sync.aligned.m8n8.x{len(registers)}.shared.b16" or not isinstance(registers, tuple):
        raise UnknownError(opcode)
    targets = [slots.number(register, "b32") for register in registers]
    place = place_of(slots, "shared", operands[1], 16)

    def run(machine: Machine, s: Selection) -> None:
        rows, threads = place(machine, s).reshape(-1, WARP), machine.thread[s]
        if (rows[:, : 8 * len(targets)] % 16 != 0).any():
            raise Fault("ldmatrix: a row that is not aligned")
        for j, target in enumerate(targets):
            addresses = (rows[:, 8 * j + LANES // 4] + LANES % 4 * 4).reshape(-1)
            values = machine.memories["shared"].load(addresses, np.dtype(np.uint32), 1, threads, machine.clocks)
            machine.R[target][s] = values[:, 0]

    return run


def barrier(slots: Slots, opcode: str, operands: tuple[Operand, ...]) -> Step:
    if operands not in ((("0",), ("-1",))[opcode == "bar.warp.sync"],):
        raise UnknownError(f"{opcode} {operands}")
    return lambda machine, s: machine.barrier(s, WARP if opcode == "bar.warp.sync" else machine.program.threads)


SPECIAL: dict[str, Callable[[Slots, str, tuple[Operand, ...]], Step]] = {
    "ld.param.": load_parameter,
    "ld.": load,
    "st.": store,
    "atom.": atomic_add,
    "shfl.sync.": shuffle,
    "redux.sync.": reduce,
    "ldmatrix.": load_matrices,
    "bar.": barrier,
}

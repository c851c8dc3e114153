"""Where the machine keeps what PTX instructions read and write."""

from __future__ import annotations

import numpy as np

from ptx.operations import Array, dtype_of
from ptx.parse import Operand, Program, immediate

SPECIAL_REGISTERS = [f"%{name}.{axis}" for name in ("tid", "ntid", "ctaid", "nctaid") for axis in "xyz"]
PAIRS = ("f32x2", "bf16x2")


class Slots:
    """Numbers for what instructions read and write: registers as one type or another, and constants."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.numbers: dict[tuple[str, str], int] = {}
        self.made: dict[int, tuple[list[Array], dict[str, Array]]] = {}

    def number(self, operand: Operand, type_: str) -> int:
        assert isinstance(operand, str), operand
        return self.numbers.setdefault((operand, type_), len(self.numbers))

    def type_of(self, register: str) -> str:
        return self.program.registers[register.rstrip("0123456789")][0]

    def target(self, register: Operand, type_: str) -> int:
        """Where a value read as this type goes: a wider register is filled up by zeros, or by the sign of an s type."""
        assert isinstance(register, str), register
        return self.number(register, ("s" if type_[0] == "s" else "b") + self.type_of(register)[1:])

    def arrays(self, size: int, pool: Array) -> tuple[list[Array], dict[str, Array]]:
        """For so many threads, in the order of their numbers, and those of special registers, to be filled.

        Registers lie in `pool`, a word for each thread, and are not emptied.
        """
        if size not in self.made:
            registers: dict[str, Array] = {}
            special: dict[str, Array] = {}
            made = [self._array(name, type_, size, pool, registers, special) for name, type_ in self.numbers]
            self.made = {size: (made, special)}
        return self.made[size]

    def _array(
        self, name: str, type_: str, size: int, pool: Array, registers: dict[str, Array], special: dict[str, Array]
    ) -> Array:
        dtype = dtype_of(type_)
        if name in SPECIAL_REGISTERS:
            return special.setdefault(name, np.zeros(size, np.uint32))
        if not name.startswith("%"):
            return np.broadcast_to(immediate(name, dtype), size)
        if name not in registers:
            start = len(registers) * size
            width = dtype_of(self.type_of(name)).itemsize
            registers[name] = pool[start : start + size].view(np.uint8)[: size * width]
            registers[name][:] = 0 if type_ == "pred" else registers[name]
        view = registers[name].view(dtype).reshape(size, -1)
        return view if type_ in PAIRS else view[:, 0]

"""Makes of a PTX program steps, one for each instruction, that run it for the threads selected."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ptx.memory import Array
from ptx.operations import UnknownError
from ptx.parse import Instruction, Program, parse
from ptx.slots import Slots
from ptx.steps import Selection, Step, decode_special
from ptx.table import operation_of

if TYPE_CHECKING:
    from ptx.machine import Machine


class Code:
    """A program's steps. kinds: of what stops threads, or "". ends: where a run of others, from here on, stops."""

    def __init__(self, program: Program) -> None:
        self.program, self.instructions, self.slots = program, program.instructions, Slots(program)
        self.kinds = [kind_of(instruction) for instruction in program.instructions]
        self.guards = [self._guard(instruction) for instruction in program.instructions]
        self.steps = [self._step(at) for at in range(len(program.instructions))]
        self.visited = np.zeros(len(self.steps), np.bool_)
        stops = {at for at, kind in enumerate(self.kinds) if kind} | set(program.labels.values()) | {len(self.steps)}
        self.ends = list(range(1, len(self.steps) + 1))
        for at in reversed(range(len(self.steps) - 1)):
            if at + 1 not in stops:
                self.ends[at] = self.ends[at + 1]

    def target(self, at: int) -> int:
        """Where a branch goes."""
        return self.program.labels[str(self.instructions[at].operands[0])]

    def taken(self, machine: Machine, at: int, lanes: Array) -> Array:
        """Which of the threads an instruction is for."""
        guard = self.guards[at]
        if guard is None:
            return np.ones(len(lanes), np.bool_)
        taken: Array = machine.R[guard[0]][lanes] != guard[1]
        return taken

    def _guard(self, instruction: Instruction) -> tuple[int, bool] | None:
        if instruction.guard is None:
            return None
        return self.slots.number(instruction.guard[0], "pred"), instruction.guard[1]

    def _step(self, at: int) -> Step:
        instruction, guard = self.instructions[at], self.guards[at]
        if self.kinds[at] in ("branch", "ret"):
            return nothing
        try:
            if guard is not None and self.kinds[at]:
                raise UnknownError("a guarded instruction of all threads")
            step = decode_special(self.slots, instruction) or decode(self.slots, instruction)
        except Exception as error:
            error.add_note(f"{self.program.name}, line {instruction.line}: {instruction.text}")
            raise
        return step if guard is None else guarded(step, *guard)


@functools.cache
def code_of(ptx: str) -> Code:
    return Code(parse(ptx))


def kind_of(instruction: Instruction) -> str:
    """How an instruction ends a run: "warp" and "program" wait for all threads of one."""
    opcode = instruction.opcode
    if opcode in ("bra", "bra.uni"):
        return "branch"
    if opcode in ("ret", "bar.sync"):
        return "ret" if opcode == "ret" else "program"
    return "warp" if ".sync" in opcode else ""


def nothing(machine: Machine, selection: Selection) -> None:
    """The machine itself does what is to be done."""


def guarded(step: Step, predicate: int, negated: bool) -> Step:
    def run(machine: Machine, s: Selection) -> None:
        wanted = machine.R[predicate][s] != negated
        if wanted.all():
            step(machine, s)
        elif wanted.any():
            lanes = np.arange(machine.size)[s] if isinstance(s, slice) else s
            step(machine, lanes[wanted])

    return run


def decode(slots: Slots, instruction: Instruction) -> Step:
    """An instruction that computes. Raises UnknownError."""
    operands = instruction.operands
    operation = operation_of(instruction.opcode, len(operands) - 1)
    targets = operands[0] if isinstance(operands[0], tuple) else (operands[0],)
    results = [slots.number(target, operation.types[0]) for target in targets]
    sources = [slots.number(o, type_) for o, type_ in zip(operands[1:], operation.types[1:], strict=True)]
    return compute(operation.function, results, sources)


def compute(function: Callable[..., Any], results: list[int], sources: list[int]) -> Step:
    first = results[0]

    def one(machine: Machine, s: Selection) -> None:
        R = machine.R
        R[first][s] = function(*[R[i][s] for i in sources])

    def several(machine: Machine, s: Selection) -> None:
        values = function(*[machine.R[i][s] for i in sources])
        for result, value in zip(results, values, strict=True):
            machine.R[result][s] = value

    return one if len(results) == 1 else several

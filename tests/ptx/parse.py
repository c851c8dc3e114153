"""Reads PTX as Triton writes it: one entry, one instruction to a line.

What is not known is refused, so that nothing is passed over in silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

PARAMETER = re.compile(r"\.param \.(\w+)(?: \.ptr)?(?: \.global)?(?: \.align \d+)? (\w+)")
REGISTERS = re.compile(r"\.reg \.(\w+)\s+(%[A-Za-z]+)(?:<(\d+)>)?;")
LOCAL = re.compile(r"\.local \.align \d+ \.b8\s+__local_depot0\[(\d+)\];")
INSTRUCTION = re.compile(r"(?:@(!?)(%p\d+)\s+)?([a-z][\w.]*)(?:\s+(.*))?;")
OPERAND = re.compile(r"\{[^}]*\}|\[[^\]]*\]|[^,\s][^,]*")
ADDRESS = re.compile(r"\[\s*([%\w$]+)\s*(?:\+\s*(-?\d+))?\s*\]")
IGNORED = (".loc", ".pragma", ".reg", "//")


@dataclass(frozen=True, slots=True)
class Address:
    """[base + offset]: the base is a register, a parameter, or the start of shared memory."""

    base: str
    offset: int


Operand = str | Address | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Instruction:
    """guard: the predicate without which a thread passes it over, and whether it must be false instead."""

    line: int
    text: str
    guard: tuple[str, bool] | None
    opcode: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """parameters: type by name, in their order. labels: the number of the instruction behind each."""

    name: str
    parameters: dict[str, str]
    registers: dict[str, tuple[str, int]]  # by prefix: type, how many
    threads: int
    local_bytes: int  # of each thread
    instructions: tuple[Instruction, ...]
    labels: dict[str, int]


def size_of(type_: str) -> int:
    """Bytes of b32, u64, s8 and so on."""
    return int(re.sub(r"^[a-z]+", "", type_)) // 8


def parse_operand(text: str) -> Operand:
    text = text.strip()
    if match := ADDRESS.fullmatch(text):
        return Address(match[1], int(match[2] or 0))
    if text[0] == "{":
        return tuple(part.strip() for part in text[1:-1].split(","))
    if "|" in text:
        return tuple(text.split("|"))
    return text


def parse_instruction(number: int, text: str) -> Instruction:
    match = INSTRUCTION.fullmatch(text)
    if match is None:
        raise ValueError(f"line {number} is not understood: {text}")
    negated, predicate, opcode, rest = match.groups()
    operands = tuple(parse_operand(part) for part in OPERAND.findall(rest or ""))
    guard = (predicate, bool(negated)) if predicate else None
    return Instruction(number, text, guard, opcode, operands)


def parse(ptx: str) -> Program:
    """The only entry of a module."""
    lines = [line.split("//")[0].strip() for line in ptx.splitlines()]
    start = lines.index("{")
    head = "\n".join(lines[:start])
    end = lines.index("}", start)
    instructions: list[Instruction] = []
    labels: dict[str, int] = {}
    registers: dict[str, tuple[str, int]] = {}
    local_bytes = 0
    for number, text in enumerate(lines[start + 1 : end], start + 2):
        if match := REGISTERS.fullmatch(text):
            registers[match[2]] = (match[1], int(match[3] or 1))
        elif match := LOCAL.fullmatch(text):
            local_bytes = int(match[1])
        elif text.endswith(":"):
            labels[text[:-1]] = len(instructions)
        elif text and not text.startswith(IGNORED):
            instructions.append(parse_instruction(number, text))
    entry, threads = re.search(r"\.entry (\w+)", head), re.search(r"\.reqntid (\d+)\n", head + "\n")
    assert entry is not None
    assert threads is not None
    parameters = {name: type_ for type_, name in PARAMETER.findall(head)}
    return Program(entry[1], parameters, registers, int(threads[1]), local_bytes, tuple(instructions), labels)


def bits_of(text: str) -> int:
    """The bits of an immediate, as an integer of any size; a negative one stands for its two's complement."""
    if re.fullmatch(r"0[fd][0-9A-Fa-f]+", text):
        return int(text[2:], 16)
    if text in ("global_smem", "__local_depot0"):
        return 0
    return int(text, 0)


def immediate(text: str, dtype: np.dtype) -> np.ndarray:
    """An immediate as the type that its instruction reads."""
    if dtype == np.bool_:
        return np.array(bits_of(text) != 0)
    bits = bits_of(text) & (2 ** (8 * dtype.itemsize) - 1)
    return np.array(bits, f"u{dtype.itemsize}").view(dtype)

"""Typed access to the fields of a checkpoint's JSON files."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError

LARGEST_INT = 2**31 - 1
LARGEST_TEXT = 1 << 28  # bytes; the largest tokenizer.json in use has some 40 million
_REQUIRED = object()


def raise_problems(folder: Path, problems: Iterable[str]) -> None:
    """Raises one CheckpointError that lists all problems, each once; does nothing if there are none."""
    lines = "".join(f"\n  - {problem}" for problem in dict.fromkeys(problems))
    if lines:
        raise CheckpointError(f"the checkpoint {folder} cannot be used:{lines}")


def is_there(path: Path) -> bool:
    """Whether there is such a file; a name that cannot be one is none."""
    return os.path.exists(path)


def file_size(path: Path) -> int:
    """Bytes of a regular file. Raises CheckpointError for anything else, such as a pipe, whose end may never come."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from error
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path} cannot be read: it is not a regular file")
    return status.st_size


def read_bytes(path: Path) -> bytes:
    """A file of text, such as JSON. Raises CheckpointError if it cannot be read or is longer than any such file."""
    size = file_size(path)
    if size > LARGEST_TEXT:
        raise CheckpointError(f"{path} cannot be used: it has {size} bytes, more than {LARGEST_TEXT}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises CheckpointError if the file cannot be read or contains anything else."""
    try:
        value = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} must contain a JSON object, got {type(value).__name__}")
    return value


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object with typed reads. A fault is added to `problems`, and a harmless value returned in its place."""

    source: str
    values: dict[str, Any]
    problems: list[str]

    def refuse(self, name: str, rule: str, remedy: str = "") -> None:
        value = repr(self.values[name]) if name in self.values else "nothing"
        problem = f"{self.source}: `{name}` must {rule}, got {value[:80]}"
        self.problems.append(f"{problem}; {remedy}" if remedy else problem)

    def integer(self, name: str, *, most: int = LARGEST_INT, default: Any = _REQUIRED) -> int:
        """An integer from 1 to `most`; `default` if the field is missing or null."""
        value = self.values.get(name)
        if value is None and default is not _REQUIRED:
            return int(default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.refuse(name, "be an integer ≥ 1")
            return 1
        if value > most:
            self.refuse(name, f"be at most {most}")
            return 1
        return value

    def number(self, name: str, *, least: float = 1e-20, default: Any = _REQUIRED) -> float:
        """A number in [least, 1e20]; `default` if the field is missing or null."""
        value = self.values.get(name)
        if value is None and default is not _REQUIRED:
            return float(default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= 1e20:
            self.refuse(name, f"be a number from {least:g} to 1e20")
            return 1.0
        return float(value)

    def flag(self, name: str) -> bool:
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            self.refuse(name, "be true or false")
        return value is True

    def ids(self, name: str, vocab_size: int) -> tuple[int, ...] | None:
        """A token id or a list of them, as a tuple; None if the field is missing or null."""
        value = self.values.get(name)
        if value is None:
            return None
        ids = value if isinstance(value, list) else [value]
        if not all(isinstance(i, int) and not isinstance(i, bool) and 0 <= i < vocab_size for i in ids):
            self.refuse(name, f"contain token ids from 0 to `vocab_size` - 1 ({vocab_size - 1})")
            return ()
        return tuple(dict.fromkeys(ids))

"""The rooms of kernels/ import each other in one direction."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support.paths import ROOT

KERNELS = ROOT / "kernels"
ROOMS: dict[str, set[str]] = {"row": set(), "sampler": {"row"}, "beam": {"row"}}  # and which others each may import


def imported_rooms(file: Path) -> set[str]:
    """Of the modules that a file of a room imports as `..room.module` or `..room`."""
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    return {(node.module or "").split(".")[0] for node in nodes if node.level > 1}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_lies_below(room: str) -> None:
    files = list((KERNELS / room).glob("*.py"))
    assert files
    for file in files:
        assert imported_rooms(file) <= ROOMS[room], file.name


def test_every_room_is_known() -> None:
    assert ROOMS.keys() == {path.parent.name for path in KERNELS.glob("*/__init__.py")}

"""The rooms of genlib: each imports only those below it, and no circle of imports is longer than three files.

Imports for types count: what they tie together must be read together.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT

# From the bottom up. A file of genlib/ itself is a room of its own name.
FLOORS = (
    ("errors", "defaults", "_native"),
    ("checks", "handles"),
    ("ops",),
    ("checkpoint",),
    ("text",),
    ("kernels", "model", "states"),
    ("sampling",),
    ("calls",),
    ("jobs",),
    ("engine",),
    ("api",),
    ("aio",),
    ("server",),
    ("cli",),
    ("__main__", "__init__"),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
LONGEST_CIRCLE = 3


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for folder, package in ((ROOT / "genlib", ("genlib",)), (ROOT / "kernels", ("genlib", "kernels"))):
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.pyi")]):
            parts = (*package, *path.relative_to(folder).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(module: str) -> Iterator[str]:
    """The modules of the package that a module imports, for types too."""
    path = MODULES[module]
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            up = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*up, *([node.module] if node.module else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield from (name,) if name in MODULES else (base,) if base in MODULES else ()


def room(module: str) -> str:
    """The package, or the file of genlib/ itself, that a module is in."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def circles(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Sets of modules of which each imports each other, if only through others."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        left = [start]
        while left:
            new = arrows[left.pop()] - seen
            seen |= new
            left += new
        return seen

    reach = {module: reached(module) for module in arrows}
    groups = {frozenset({m, *(o for o in reach[m] if m in reach[o])}) for m in arrows}
    return [set(group) for group in groups if len(group) > 1]


@pytest.fixture(scope="module")
def arrows() -> dict[str, set[str]]:
    return {module: {*imported(module)} - {module, "genlib"} for module in MODULES}


def test_every_room_has_a_floor() -> None:
    assert {room(module) for module in MODULES} - {"default_model"} == FLOOR_OF.keys()


def test_rooms_import_only_those_below(arrows: dict[str, set[str]]) -> None:
    up = {
        f"{module} imports {other}"
        for module, others in arrows.items()
        for other in others
        if room(other) != room(module) and FLOOR_OF[room(other)] >= FLOOR_OF[room(module)]
    }
    assert up == set()


def test_no_circle_is_long(arrows: dict[str, set[str]]) -> None:
    assert [circle for circle in circles(arrows) if len(circle) > LONGEST_CIRCLE] == []


def test_what_finds_circles_finds_them() -> None:
    ring = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert sorted(map(sorted, circles(ring))) == [["a", "b", "c"], ["d", "e"]]

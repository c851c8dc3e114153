"""The native code's folders: what each may include, and that pybind11 stays in one of them."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from support.paths import ROOT

CSRC = ROOT / "csrc"
# A folder → those whose files it may include, beside its own. Read from below: what all rest on comes first.
ROOMS = {
    "base": set(),
    "states": {"base"},
    "cpu": {"base"},
    "cpu/program": {"base", "cpu"},
    "cpu/layers": {"base", "cpu", "cpu/program"},
    "cpu/attention": {"base", "cpu", "cpu/program"},
    "cpu/sampling": {"base", "cpu", "cpu/program"},
    "cpu/beam": {"base", "cpu", "cpu/program", "cpu/sampling"},
    "cpu/widths": {"cpu", "cpu/layers", "cpu/attention", "cpu/sampling", "cpu/beam"},
    "bindings": {"base", "states", "cpu", "cpu/program", "cpu/layers", "cpu/attention", "cpu/sampling", "cpu/beam"},
}
FILES = sorted([*CSRC.rglob("*.h"), *CSRC.rglob("*.cpp")])


def included(path: Path) -> list[str]:
    return re.findall(r'^\s*#\s*include "([^"]+)"', path.read_text(), re.MULTILINE)


def room_of(path: Path) -> str:
    return path.relative_to(CSRC).parent.as_posix()


def test_every_room_is_known() -> None:
    assert {room_of(path) for path in FILES} == ROOMS.keys()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_includes_only_what_it_may(room: str) -> None:
    allowed = ROOMS[room] | {room}
    beyond = {
        f"{path.name} includes {name}"
        for path in FILES
        if room_of(path) == room
        for name in included(path)
        if room_of(CSRC / name) not in allowed
    }
    assert beyond == set()


def test_no_circle_of_rooms_or_of_files() -> None:
    list(TopologicalSorter(ROOMS).static_order())  # raises CycleError, which names the circle
    files = {path.relative_to(CSRC).as_posix(): included(path) for path in FILES}
    assert set(TopologicalSorter(files).static_order()) == files.keys(), "an include that is no file of csrc"


def test_only_the_bindings_know_pybind11() -> None:
    known = {room_of(path) for path in FILES if "pybind11" in path.read_text()}
    assert known == {"bindings"}


def test_only_one_line_states_the_size_of_a_page() -> None:
    stated = [line for path in FILES for line in re.findall(r".*\bkPage(?:Size)? = .*", path.read_text())]
    assert len(stated) == 1

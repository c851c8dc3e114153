"""When a team of threads leaves its work to one of them, on a simulated machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import astuple, dataclass
from pathlib import Path

import pytest
from support.paths import ROOT


@dataclass(frozen=True)
class Phase:
    """Microseconds of a piece of work and of the pause after it; shares of its time for which the thread runs."""

    seconds: float
    team: float = 100
    alone: float = 150
    team_runs: float = 1
    alone_runs: float = 1
    pause: float = 20
    kind: int = 0


QUIET = Phase(10)
CROWDED = Phase(20, team=300, team_runs=0.5)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    assert compiler, "a C++ compiler is needed, as it is to install genlib"
    program = tmp_path_factory.mktemp("crowding") / "crowding"
    source = Path(__file__).with_name("crowding.cpp")
    subprocess.run(
        [compiler, "-std=c++20", "-O1", "-Wall", "-Werror", f"-I{ROOT}/csrc", source, "-o", program], check=True
    )
    return program


def alone(simulator: Path, *phases: Phase) -> list[float]:
    """The share of each phase's work that was done alone."""
    lines = "".join(" ".join(map(str, astuple(phase))) + "\n" for phase in phases)
    found = subprocess.run([simulator], input=lines, capture_output=True, text=True, check=True).stdout
    return [float(line) for line in found.split()]


@pytest.mark.parametrize("pause", [0, 20, 1000, 100_000])
def test_a_quiet_machine_has_the_team_always(simulator: Path, pause: float) -> None:
    """However long the thread waits for something to do."""
    assert alone(simulator, Phase(10, pause=pause)) == [0]
    assert alone(simulator, Phase(10, pause=pause, team=20_000, alone=40_000)) == [0]


@pytest.mark.parametrize("scale", [1, 100])
def test_a_crowded_team_works_alone_where_that_is_faster(simulator: Path, scale: float) -> None:
    (share,) = alone(simulator, Phase(20, team=300 * scale, alone=150 * scale, team_runs=0.5))
    assert share > 0.9


@pytest.mark.parametrize(("times", "most"), [(1.1, 0.05), (1.9, 0.05), (15, 0.001)])
def test_a_crowded_team_stays_where_one_alone_is_slower(simulator: Path, times: float, most: float) -> None:
    """Few trials, and short ones where it is much slower: on a machine of many cores."""
    (share,) = alone(simulator, Phase(20, team=300, alone=300 * times, team_runs=0.5, alone_runs=0.5))
    assert 0 < share <= most


def test_the_team_is_back_when_the_others_have_gone(simulator: Path) -> None:
    crowded, soon, later = alone(simulator, CROWDED, Phase(2.5), QUIET)
    assert crowded > 0.9
    assert soon < 1
    assert later == 0


def test_others_who_come_again_are_seen_again(simulator: Path) -> None:
    shares = alone(simulator, *[CROWDED, QUIET] * 3)
    assert all(share > 0.8 for share in shares[::2])
    assert all(share < 0.5 for share in shares[1::2])


def test_trials_that_failed_do_not_hide_that_it_has_become_faster(simulator: Path) -> None:
    failing, good = alone(simulator, Phase(60, team=300, alone=900, team_runs=0.5), CROWDED)
    assert failing < 0.01
    assert good > 0.7


def test_a_kind_of_work_that_is_new_is_not_judged_by_another(simulator: Path) -> None:
    """Alone, it has nothing to be compared with; the time alone ends as it would have."""
    first, second = alone(simulator, Phase(1, team=300, team_runs=0.5), Phase(20, team=100, alone=4000, kind=1))
    assert first > 0.5
    assert second < 0.05

"""Options of the benchmarks that pytest runs, and their results: a table, and JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
# `python -m pytest` puts the repository's root on the path, where transformers would take kernels/ for a package that
# it looks for. The benchmarks' own modules lie here.
sys.path[:] = [str(HERE), *(path for path in sys.path if Path(path or ".").resolve() != HERE.parent)]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("genlib benchmarks")
    group.addoption("--device", choices=("cpu", "cuda"), default="cpu")
    group.addoption("--full", action="store_true", help="the whole grid, which takes hours on a few cores")
    group.addoption("--figures", action="store_true", help="only the cells that have a target on an H200")
    group.addoption("--num-threads", type=int, default=2, metavar="N", help="of torch and of genlib on the CPU")
    group.addoption("--json", type=Path, metavar="FILE", help="a line is added to this file")
    group.addoption("--lines", type=Path, metavar="FILE", help="each cell is added to this file as soon as it is there")


class Results:
    """A run's cells as they come; what is written of them in the end."""

    def __init__(self, config: pytest.Config) -> None:
        from machine import OtherLoad  # noqa: PLC0415 (the path is set above)
        from sampler.measure import new_clock  # noqa: PLC0415

        self._config, self._load = config, OtherLoad()
        self.device: str = config.getoption("device")
        self._clock = new_clock(self.device, config.getoption("num_threads"))
        self._cells: dict[str, dict[str, Any]] = {}
        self._errors: dict[str, Exception] = {}

    def of(self, cell: Any) -> dict[str, Any]:
        """The cell's record, measured when it is first asked for."""
        from sampler.measure import measure  # noqa: PLC0415

        if cell.name in self._errors:
            raise self._errors[cell.name]
        if cell.name not in self._cells:
            try:
                self._cells[cell.name] = measure(cell, self.device, self._clock)
            except Exception as error:
                self._errors[cell.name] = error
                raise
            self._append("lines", self._cells[cell.name])
        return self._cells[cell.name]

    def finish(self) -> str:
        """Writes the run to the file that was asked for. Its table."""
        from sampler.measure import run_of  # noqa: PLC0415
        from sampler.summary import sampling_table  # noqa: PLC0415

        run = run_of(self.device, self._config.getoption("num_threads"), list(self._cells.values()), self._load.share())
        self._append("json", run)
        return sampling_table(run)

    def _append(self, option: str, value: object) -> None:
        if path := self._config.getoption(option):
            with path.open("a") as file:
                print(json.dumps(value), file=file, flush=True)


RESULTS = pytest.StashKey[Results]()


@pytest.fixture(scope="session")
def results(pytestconfig: pytest.Config) -> Results:
    import torch  # noqa: PLC0415

    torch.set_num_threads(pytestconfig.getoption("num_threads"))
    return pytestconfig.stash.setdefault(RESULTS, Results(pytestconfig))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if RESULTS in config.stash:
        terminalreporter.write_line(config.stash[RESULTS].finish())

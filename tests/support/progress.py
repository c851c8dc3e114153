"""Shows the tests file by file, and gives each file to one process."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

COMPILED = re.compile(r"tests/kernels/test_(?:compile|ptx)\.py::.*\[(\d+)")
Status = tuple[Any, str, Any]


class Scheduler(LoadFileScheduling):
    """Files in their order. What runs kernels compiled for one architecture goes where they are compiled."""

    def _split_scope(self, nodeid: str) -> str:
        match = COMPILED.match(nodeid)
        return f"sm_{match[1]}" if match else super()._split_scope(nodeid)


class Progress:
    """A line for each file whose tests are over, in the place of pytest's dots."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.waiting: Counter[str] = Counter()
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.seconds: Counter[str] = Counter()

    def expect(self, nodeids: Iterable[str]) -> None:
        self.waiting = Counter(map(file_of, nodeids))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.expect(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.expect(ids)

    def pytest_sessionstart(self) -> None:
        self.reporter: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        self.reporter.showfspath = self.reporter._show_progress_info = False

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, Status, Status]:
        """No dot."""
        category, _, word = yield
        return category, "", word

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = file_of(report.nodeid)
        category, *_ = self.config.hook.pytest_report_teststatus(report=report, config=self.config)
        self.counts[file][category] += bool(category)
        self.seconds[file] += report.duration
        self.waiting[file] -= report.when == "teardown"
        if report.when == "teardown" and self.waiting[file] == 0:
            self.show(file)

    def show(self, file: str) -> None:
        counts = self.counts[file]
        told = ", ".join(f"{n} {category}" for category, n in counts.items() if n)
        is_bad = counts["failed"] + counts["error"] > 0
        self.reporter.write_line(f"{file:<44} {told}  {self.seconds[file]:.1f} s", red=is_bad)
        self.reporter.flush()


def file_of(nodeid: str) -> str:
    return nodeid.split("::", 1)[0]

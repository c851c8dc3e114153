"""The sampler beside its peers, from raw logits to a token and its probability, as pytest-benchmark tests.

    python bench/bench_sampling.py [--device cuda] [--full | --figures] [-k "zipf and S16"] [--json FILE]

which is `python -m pytest bench/bench_sampling.py` with fewer columns. A cell is measured as a whole: all contestants
are checked, then take turns. Each test then hands one contestant's samples to pytest-benchmark, whose options
(--benchmark-json, --benchmark-compare, …) work on them. See README.md for what is compared.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest


class Playback:
    """A clock for samples that have been taken before: it moves on by one of them when that is played."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def play(self, microseconds: Any) -> None:
        self._now += next(microseconds) * 1e-6


PLAYBACK = Playback()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    from sampler.cells import figures, grid  # noqa: PLC0415 (conftest.py says where these are)
    from sampler.measure import contestants  # noqa: PLC0415
    from sampler.summary import MODES  # noqa: PLC0415

    option = metafunc.config.getoption
    cells = figures() if option("figures") else grid(option("device"), option("full"))
    cases = [
        pytest.param(cell, one, mode, id=f"{cell.name}-{one.name}-{mode}")
        for cell in cells
        for one in contestants(option("device"))
        for mode in MODES[option("device")]
    ]
    metafunc.parametrize(("cell", "contestant", "mode"), cases)


@pytest.mark.benchmark(timer=PLAYBACK.now)
def test_sampler(benchmark: Any, results: Any, cell: Any, contestant: Any, mode: str) -> None:
    if not contestant.is_there:
        pytest.skip(f"{contestant.package} is not installed")
    record = results.of(cell)
    samples = record["samples"].get(contestant.name, {}).get(mode)
    if samples is None:
        pytest.skip(record["failed"].get(contestant.name, "has no such setting"))
    benchmark.group = f"{cell.name} ({mode})"
    benchmark.extra_info["limit_us"] = record["limit"]
    benchmark.pedantic(PLAYBACK.play, args=(iter(samples),), rounds=len(samples))


if __name__ == "__main__":
    shown = ["-q", "--benchmark-columns=median,iqr,rounds", "--benchmark-sort=name"]
    raise SystemExit(pytest.main([__file__, *shown, *sys.argv[1:]]))

"""Set up before any test is imported."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Triton decides as it is imported whether kernels run in its interpreter, which needs no GPU. To run them on one:
# TRITON_INTERPRET=0 python -m pytest tests/kernels/test_gpu.py
os.environ.setdefault("TRITON_INTERPRET", "1")

from hypothesis import HealthCheck, settings
from support.progress import Progress, Scheduler

# Machines that run tests are shared: how long an example takes says nothing.
settings.register_profile("genlib", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("genlib")

# `python -m pytest` puts the repository's root on the path, where kernels/ would pass for another project's
# package of that name, which transformers looks for. The tests need the installed genlib only.
ROOT = Path(__file__).parent.parent
sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != ROOT]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gpu: needs an NVIDIA GPU, and TRITON_INTERPRET=0")
    if config.get_verbosity() == 0 and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Progress(config))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--share",
        type=float,
        default=1.0,
        metavar="S",
        help="part of the rows and operations to try in tests that try very many (default: 1, all of them)",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduler:
    config.option.loadscopereorder = False
    return Scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Kernels come first: what takes long must not be left to the end, when other processes have nothing to do."""
    items.sort(key=lambda item: "kernels" not in item.path.parts)


@pytest.fixture(scope="session")
def share(pytestconfig: pytest.Config) -> float:
    """For tests that try very many random cases: the sanitizers make each many times as dear, and fewer do there."""
    value: float = pytestconfig.getoption("share")
    assert 0 < value <= 1, "--share must be in (0, 1]"
    return value

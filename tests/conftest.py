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
    config.addinivalue_line("markers", "slow: passed over without --all; something of its kind must be left")
    if config.get_verbosity() == 0 and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Progress(config))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="every test, and all that it can try: make test-all")
    parser.addoption(
        "--share",
        type=float,
        metavar="S",
        help="part of the rows and operations to try in tests that try very many (default: 0.1; with --all, all)",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduler:
    config.option.loadscopereorder = False
    return Scheduler(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Kernels come first: what takes long must not be left to the end, when other processes have nothing to do."""
    items.sort(key=lambda item: "kernels" not in item.path.parts)
    if not config.getoption("all"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@pytest.fixture(scope="session")
def everything(pytestconfig: pytest.Config) -> bool:
    """Whether to try all that a test can try."""
    return bool(pytestconfig.getoption("all"))


@pytest.fixture(scope="session")
def share(pytestconfig: pytest.Config, everything: bool) -> float:
    """For tests that try very many random cases: the sanitizers make each many times as dear, and fewer do there."""
    given: float | None = pytestconfig.getoption("share")
    value = given if given is not None else 1.0 if everything else 0.1
    assert 0 < value <= 1, "--share must be in (0, 1]"
    return value


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """For tiny models, on which torch's threads only wait for each other, and keep all cores busy with it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

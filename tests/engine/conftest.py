"""What tests of the engine share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import genlib


@pytest.fixture(scope="module")
def engine() -> Iterator[genlib.Engine]:
    """One on the embedded model."""
    with genlib.Engine(threads=1) as engine:
        yield engine

"""Parameters of tests that only make test-all tries."""

from __future__ import annotations

from typing import Any

import pytest


def slow(*values: Any) -> list[Any]:
    """For @pytest.mark.parametrize: values, each of one parameter or a tuple of several."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow) for value in values
    ]

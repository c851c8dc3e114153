"""docs/http.md names everything that the shim takes, answers and refuses."""

from __future__ import annotations

import msgspec
import pytest
from support.paths import ROOT

from genlib import errors
from genlib.server import failure
from genlib.server.app import OPERATIONS
from genlib.server.metrics import _COUNTERS, _GAUGES

TEXT = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda op: f"{op.method} {op.path}")
def test_every_route_and_field_is_described(operation) -> None:
    assert f"{operation.method} {operation.path}" in TEXT
    structs = [operation.body, *([operation.answer] if operation.answer else [])]
    names = {field.name for struct in structs for field in msgspec.structs.fields(struct)}
    assert {name for name in names if name not in TEXT} == set()


def test_every_error_is_described() -> None:
    kinds = [kind for module in (errors, failure) for kind in vars(module).values() if isinstance(kind, type)]
    served = {kind for kind in kinds if issubclass(kind, errors.GenlibError)}
    # A client that left reads nothing; nothing is loaded while serving; no request can bring a token mask or a timeout.
    served -= {errors.CallCancelled, errors.CallTimeout, errors.CheckpointError, errors.TokenMaskError}
    for kind in served:
        row = next(
            (line for line in TEXT.splitlines() if line.startswith(f"| {kind.status} ") and kind.code in line), ""
        )
        assert row, f"{kind.__name__}: {kind.status} {kind.code} is not in the table"


def test_every_figure_is_described() -> None:
    assert {name for name, _ in _GAUGES.values() if name not in TEXT} == set()
    assert {name for name, _ in _COUNTERS.values() if f"{name}_total" not in TEXT} == set()

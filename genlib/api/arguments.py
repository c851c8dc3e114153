"""What the calls do with their arguments before they are fields of a request, which checks these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, cast

from ..checks import refuse
from ..engine.engine import Engine
from ..sampling.params import Sampling
from ..states.state import State


def engine_of(state: object, name: str = "state") -> Engine:
    """The engine of a state. Raises InvalidRequest if it is not a State; name: of the argument."""
    if not isinstance(state, State):
        raise refuse(name, "be a State, as returned by engine.create_state", state)
    engine = state.engine
    assert isinstance(engine, Engine)
    return engine


def as_given(stop_sequences: Sequence[str] | None) -> tuple[str, ...] | None:
    """A cast for the type checker: the request checks the value and makes it a tuple."""
    return cast("tuple[str, ...] | None", stop_sequences)


def gathered(options: object) -> dict[str, Any]:
    """The options with the fields of Sampling gathered into one."""
    left = dict(cast("dict[str, Any]", options))
    sampling = {f.name: left.pop(f.name) for f in fields(Sampling) if f.name in left}
    return {**left, "sampling": Sampling(**sampling)}

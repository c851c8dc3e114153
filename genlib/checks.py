"""Checks of parameters. Each raises InvalidRequest with the parameter, the rule that it must meet, and its value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard

from .errors import InvalidRequest

MAX_STOP_SEQUENCES = 64


def refuse(param: str, rule: str, value: object) -> InvalidRequest:
    """Returns the error "`param` must <rule>, got <value>", to be raised."""
    return InvalidRequest(f"`{param}` must {rule}, got {value!r}", param=param)


def check_int(param: str, value: object, low: int, high: int | None = None) -> None:
    """Raises InvalidRequest unless `value` is an int (not a bool) in [low, high]."""
    rule = f"be an integer ≥ {low}" if high is None else f"be an integer from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        raise refuse(param, rule, value)


def check_bool(param: str, value: object) -> None:
    """Raises InvalidRequest unless `value` is True or False."""
    if not isinstance(value, bool):
        raise refuse(param, "be true or false", value)


def check_text(param: str, value: object) -> str:
    """Raises InvalidRequest unless `value` is a str that UTF-8 can encode."""
    if not isinstance(value, str):
        raise refuse(param, "be a string", value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise refuse(param, "not contain a lone surrogate", value[error.start : error.end]) from None
    return value


def check_exactly_one(**given: object) -> None:
    """Raises InvalidRequest unless exactly one of the parameters is not None."""
    if sum(value is not None for value in given.values()) != 1:
        names = " and ".join(f"`{name}`" for name in given)
        raise InvalidRequest(f"give exactly one of {names}", param=next(iter(given)))


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is an int or float (not a bool) whose float64 value is finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond float64
        return False


def check_token_ids(param: str, value: object) -> tuple[int, ...]:
    """The ids as a tuple. Raises InvalidRequest unless each is an int ≥ 0; the upper bound depends on the model."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise refuse(param, "be a list of token ids", value)
    if not all(type(token) is int and token >= 0 for token in value):  # lists may be very long: check fast first
        for i, token in enumerate(value):
            check_int(f"{param}[{i}]", token, 0)
    return tuple(value)


def check_stop_sequences(value: object) -> tuple[str, ...]:
    """The stop sequences as a tuple. Raises InvalidRequest unless each is a non-empty string."""
    name = "stop_sequences"
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise refuse(name, "be a list of strings", value)
    if len(value) > MAX_STOP_SEQUENCES:
        raise refuse(name, f"contain at most {MAX_STOP_SEQUENCES} strings", len(value))
    for i, stop in enumerate(value):
        if not check_text(f"{name}[{i}]", stop):
            raise refuse(f"{name}[{i}]", "not be empty", stop)
    return tuple(value)

"""Checks of parameters. Each raises InvalidRequest with the parameter, the rule that it must meet, and its value."""

from __future__ import annotations

import math
import os
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from .errors import InvalidRequest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_TIMEOUT = 1e9  # seconds; clocks and locks of the operating system take a little more
MAX_ITEMS = 1 << 22  # of a range, which has no memory of its own that would bound it
MAX_STOP_SEQUENCES = 64
_TIMES = (np.datetime64, np.timedelta64)
MAX_STOP_BYTES = 1 << 14  # of all of them: states keep theirs, and beams follow each byte


_short = reprlib.Repr()
_short.maxlevel, _short.maxlist, _short.maxtuple, _short.maxdict = 3, 10, 10, 5
_short.maxstring = _short.maxlong = 80
_short.maxother = 200


def shown(value: object) -> str:
    """repr, short whatever the value is; an object's class if it has none."""
    try:
        return _short.repr(value)
    except Exception:  # of the object, or of an integer with thousands of digits
        return f"<{type(value).__name__}>"


def refuse(param: str, rule: str, value: object) -> InvalidRequest:
    """Returns the error "`param` must <rule>, got <value>", to be raised."""
    return InvalidRequest(f"`{param}` must {rule}, got {shown(value)}", param=param)


def plain(value: object) -> Any:
    """numpy's scalars as Python's; anything else as it is, times too: of some of them numpy would make integers."""
    return value.item() if isinstance(value, np.generic) and not isinstance(value, _TIMES) else value


def make_plain(record: DataclassInstance) -> None:
    """Makes the fields of a frozen dataclass plain, before they are checked."""
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, np.generic):
            object.__setattr__(record, field.name, plain(value))


def as_list(param: str, rule: str, value: object) -> list[Any]:
    """A sequence or an array (numpy's, torch's) as a list of plain values. Raises InvalidRequest."""
    if isinstance(value, Mapping) and "input_ids" in value:
        raise refuse(param, f'{rule}; of a BatchEncoding, pass its ["input_ids"]', type(value).__name__)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if isinstance(value, range) and len(value[: MAX_ITEMS + 1]) > MAX_ITEMS:  # len() alone may not hold its length
            raise refuse(param, f"have at most {MAX_ITEMS} items", value)
        return list(map(plain, value))
    to_list = getattr(value, "tolist", None)
    items = to_list() if callable(to_list) else None
    if not isinstance(items, list):
        raise refuse(param, rule, value)
    return items


def check_int(param: str, value: object, low: int, high: int | None = None) -> None:
    """Raises InvalidRequest unless `value` is an int (not a bool) in [low, high]."""
    rule = f"be an integer ≥ {low}" if high is None else f"be an integer from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        raise refuse(param, rule, value)


def check_bool(param: str, value: object) -> None:
    """Raises InvalidRequest unless `value` is True or False."""
    if not isinstance(value, bool):
        raise refuse(param, "be true or false", value)


def check_choice(param: str, value: object, *choices: str) -> None:
    """Raises InvalidRequest unless `value` is one of the strings."""
    if not isinstance(value, str) or value not in choices:
        *others, last = (f'"{choice}"' for choice in choices)
        raise refuse(param, f"be {', '.join(others)} or {last}" if others else f"be {last}", value)


def check_path(param: str, value: object) -> None:
    """Raises InvalidRequest unless `value` is a path that can be opened."""
    try:
        path = os.fspath(value)  # type: ignore[call-overload]
    except TypeError:
        path = None
    if not isinstance(path, str) or not path or "\0" in path:
        raise refuse(param, "be a path", value)


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
        *names, last = (f"`{name}`" for name in given)
        raise InvalidRequest(f"give exactly one of {', '.join(names)} and {last}", param=next(iter(given)))


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is an int or float (not a bool) whose float64 value is finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond float64
        return False


def check_timeout(value: object) -> float | None:
    """The number of seconds, or None. Raises InvalidRequest unless `value` is either, and a call can wait for so
    long."""
    value = plain(value)
    if value is None:
        return None
    if not (is_number(value) and 0 < value <= MAX_TIMEOUT):
        raise refuse("timeout", f"be a number of seconds above 0, at most {MAX_TIMEOUT:.0e}, or None", value)
    return value


def check_wait(value: object) -> float | None:
    """The same for a caller; below 0 is 0."""
    value = plain(value)
    if value is None:
        return None
    if not (is_number(value) and value <= MAX_TIMEOUT):
        raise refuse("timeout", f"be a number of seconds, at most {MAX_TIMEOUT:.0e}, or None", value)
    return value


def check_token_ids(param: str, value: object) -> tuple[int, ...]:
    """The ids as a tuple. Raises InvalidRequest unless each is an int ≥ 0; the upper bound depends on the model."""
    if not isinstance(value, list | tuple) or not all(type(token) is int and token >= 0 for token in value):
        value = as_list(param, "be a list of token ids", value)
        for i, token in enumerate(value):
            check_int(f"{param}[{i}]", token, 0)
    return tuple(value)


def check_stop_sequences(value: object) -> tuple[str, ...]:
    """The stop sequences as a tuple. Raises InvalidRequest unless each is a non-empty string."""
    name = "stop_sequences"
    value = as_list(name, "be a list of strings", value)
    if len(value) > MAX_STOP_SEQUENCES:
        raise refuse(name, f"contain at most {MAX_STOP_SEQUENCES} strings", len(value))
    for i, stop in enumerate(value):
        if not check_text(f"{name}[{i}]", stop):
            raise refuse(f"{name}[{i}]", "not be empty", stop)
    size = sum(len(stop.encode()) for stop in value)
    if size > MAX_STOP_BYTES:
        raise refuse(name, f"have at most {MAX_STOP_BYTES} bytes in total", size)
    return tuple(value)

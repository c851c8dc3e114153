"""Strict decoding of a request body, with errors that name the field.

The standard library parses the document, since msgspec reports neither duplicate fields nor which field is NaN;
msgspec then converts each value strictly: no string for a number, no true for 1.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from ..calls.names import suggestion
from ..checks import check_text
from ..errors import InvalidRequest, UnknownField
from .wire import Body

B = TypeVar("B", bound=Body)

MAX_DIGITS = 40  # of an integer; no field takes more than 20
MAX_NUMBER = 1000  # characters of any other number
MAX_WHOLE = 2.0**64  # magnitude above which a number such as 1e300 is not taken for an integer
MAX_STRINGS, MAX_CONTAINERS = 4096, 64  # in a large body
SHOWN = 80  # characters of a rejected value quoted in the message

_OPENING = re.compile(rb'["\[{]')
_NAMES = {int: "an integer", float: "a number", bool: "true or false", str: "a string", NoneType: "null"}
_MANY = {int: "integers", float: "numbers", str: "strings"}


def decode(data: bytes, body: type[B]) -> B:
    """Decodes `data` into a `body`. Raises InvalidRequest or UnknownField, with the field as `param`."""
    document = _parse(data)
    fields = {field.name: field for field in msgspec.structs.fields(body)}
    for name in document:
        if name not in fields:
            known = ", ".join(f"`{field}`" for field in fields) or "none"
            meant = suggestion(name, fields)
            hint = "" if meant is None else f"; did you mean `{meant}`?"
            raise UnknownField(f"unknown field `{_cut(name)}`{hint}; known fields: {known}", param=_cut(name))
    for name, field in fields.items():
        if field.required and name not in document:
            raise InvalidRequest(f"`{name}` is required", param=name)
    return body(**{name: _convert(name, value, fields[name].type) for name, value in document.items()})


def check_shape(data: bytes, most_items: int) -> None:
    """Refuses a body of more strings, lists and objects than any request has, before they are made, and so it does a
    list of more than `most_items` numbers.

    For large bodies: the library makes them without letting anybody else run. Raises InvalidRequest.
    """
    at, strings, containers, name = 0, 0, 0, b""
    while found := _OPENING.search(data, at):
        at = found.end()
        if found[0] == b'"':
            strings += 1
            end = _end_of_string(data, at)
            name, at = data[at : end - 1], end
        else:
            containers += 1
            _check_numbers(data, at, name, most_items)
        if strings > MAX_STRINGS or containers > MAX_CONTAINERS:
            rule = f"{MAX_STRINGS} strings, names included, and {MAX_CONTAINERS} lists and objects"
            raise InvalidRequest(f"the body must have at most {rule}")


def _check_numbers(data: bytes, at: int, name: bytes, most: int) -> None:
    """What begins at `at`, if it is a list of numbers, has at most so many. name: of the field, probably."""
    end = data.find(b"]", at)
    if end < 0 or data.find(b'"', at, end) >= 0:
        return
    count = 1 + data.count(b",", at, end)
    if count > most:
        param = _cut(name.decode("utf-8", "replace"))
        raise InvalidRequest(f"`{param}` must have at most {most} items, got {count}", param=param)


def _end_of_string(data: bytes, at: int) -> int:
    """Where the string that begins before `at` has ended; the end of the data if it has not."""
    while (quote := data.find(b'"', at)) >= 0:
        escapes = 0
        while data[quote - 1 - escapes] == ord("\\"):
            escapes += 1
        at = quote + 1
        if escapes % 2 == 0:
            return at
    return len(data)


def _parse(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data.decode(), object_pairs_hook=_object, parse_int=_integer, parse_float=_number)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the body must be UTF-8; byte {error.start} is invalid") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"the body must be JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply") from None
    if not isinstance(document, dict):
        raise InvalidRequest(f"the body must be a JSON object, got {_shown(document)}")
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise InvalidRequest(f"duplicate field `{_cut(name)}`", param=_cut(name))
        document[name] = value
    return document


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise InvalidRequest(f"the body contains an integer of {len(digits)} digits; at most {MAX_DIGITS} are accepted")
    return int(digits)


def _number(digits: str) -> float | int:
    """A number with a fraction or an exponent. 5.0 is an integer, as in JSON Schema, and any integer is exact."""
    if len(digits) > MAX_NUMBER:
        raise InvalidRequest(
            f"the body contains a number of {len(digits)} characters; at most {MAX_NUMBER} are accepted"
        )
    value = float(digits)
    if not value.is_integer() or abs(value) > MAX_WHOLE:
        return value
    try:
        exact = Decimal(digits)
    except InvalidOperation:  # an exponent that it cannot hold
        return value
    return int(exact) if exact == exact.to_integral_value() else value


def _convert(name: str, value: Any, kind: Any) -> Any:
    _check_texts(name, value)
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        raise _mismatch(name, value, kind) from None


def _check_texts(name: str, value: Any) -> None:
    """Every string of a value, names of objects included, must be one that UTF-8 can carry."""
    if isinstance(value, str):
        check_text(name, value)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            if not isinstance(item, int):  # most lists are of token ids, and long
                _check_texts(f"{name}[{i}]", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            check_text(name, key)
            _check_texts(f"{name}[{_cut(key)}]", item)


def _mismatch(name: str, value: Any, kind: Any) -> InvalidRequest:
    item = next((get_args(k)[-1] for k in _alternatives(kind) if get_origin(k) is type(value)), None)
    if item is not None:
        for i, one in value.items() if isinstance(value, dict) else enumerate(value):
            try:
                msgspec.convert(one, item, strict=True)
            except msgspec.ValidationError:
                return _mismatch(f"{name}[{_cut(str(i))}]", one, item)
    rule = " or ".join(_rule(k) for k in _alternatives(kind))
    return InvalidRequest(f"`{name}` must be {rule}, got {_shown(value)}", param=name)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) is Annotated:
        return _alternatives(get_args(kind)[0])
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _rule(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(json.dumps(word) for word in get_args(kind))
    if get_origin(kind) is list:
        return f"a list of {_MANY[get_args(kind)[0]]}"
    if get_origin(kind) is dict:
        return f"an object of {_MANY[get_args(kind)[1]]}"
    return _NAMES[kind]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return _cut(json.dumps(value))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"

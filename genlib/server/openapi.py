"""The OpenAPI document, generated from the same structs that decode requests and encode responses."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from .answers import ErrorAnswer, StreamEvent
from .wire import Body, EmptyBody

_REF = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: its method, path and handler, and the types of its request and response.

    errors: the statuses it can fail with, besides 401 and 500. query: the query parameters it accepts.
    open: whether it is served without the key.
    """

    method: str
    path: str
    serve: Callable[[Any, Request, Any], Awaitable[Response]]
    summary: str
    body: type[Body] = EmptyBody
    answer: type[msgspec.Struct] | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    query: tuple[str, ...] = ()
    open: bool = False
    streams: bool = False


def document(operations: Sequence[Operation], version: str, *, needs_key: bool) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the operations."""
    structs = {op.body for op in operations} | {op.answer for op in operations if op.answer is not None}
    _, schemas = msgspec.json.schema_components(
        sorted(structs | {ErrorAnswer, StreamEvent}, key=lambda struct: struct.__name__), ref_template=_REF
    )
    paths: dict[str, dict[str, Any]] = {}
    for op in operations:
        paths.setdefault(op.path, {})[op.method.lower()] = _operation(op, needs_key=needs_key)
    components: dict[str, Any] = {"schemas": schemas}
    if needs_key:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    info = {"title": "genlib", "version": version, "description": "Stateful text generation."}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": components}


def _operation(op: Operation, *, needs_key: bool) -> dict[str, Any]:
    guarded = needs_key and not op.open
    errors = sorted({*op.errors, *((401,) if guarded else ()), 500})
    described: dict[str, Any] = {
        "operationId": op.serve.__name__,
        "summary": op.summary,
        "responses": {str(op.status): _answer(op), **{str(status): _ERROR for status in errors}},
    }
    if parameters := _parameters(op):
        described["parameters"] = parameters
    if op.method == "POST":
        schema = {"$ref": _REF.format(name=op.body.__name__)}
        described["requestBody"] = {
            "required": op.body is not EmptyBody,
            "content": {"application/json": {"schema": schema}},
        }
    if guarded:
        described["security"] = [{"key": []}]
    return described


def _answer(op: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": op.summary}
    if op.answer is not None:
        schema = {"$ref": _REF.format(name=op.answer.__name__)}
        answer["content"] = {"application/json": {"schema": schema}}
        if op.streams:
            answer["content"]["text/event-stream"] = {
                "schema": {"type": "string", "description": "`data:` lines, each a StreamEvent, followed by [DONE]."}
            }
    return answer


def _parameters(op: Operation) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", op.path)
    ]
    in_query = [
        {"name": name, "in": "query", "schema": {"type": "integer" if name == "limit" else "string"}}
        for name in op.query
    ]
    return in_path + in_query


_ERROR = {
    "description": "Error.",
    "content": {"application/json": {"schema": {"$ref": _REF.format(name="ErrorAnswer")}}},
}

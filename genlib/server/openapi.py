"""The OpenAPI document, generated from the same structs that decode requests and encode responses."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from .answers import ErrorAnswer, StreamEvent
from .fields import Bound
from .wire import Body, EmptyBody

_REF = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: its method, path and handler, and the types of its request and response.

    media_type: of the response. errors: the statuses it can fail with, besides those of every route of its kind.
    query: the query parameters it accepts, with their schemas. open: whether it is served without the key.
    """

    method: str
    path: str
    serve: Callable[[Any, Request, Any], Awaitable[Response]]
    summary: str
    body: type[Body] = EmptyBody
    answer: type[msgspec.Struct] | None = None
    media_type: str = "application/json"
    status: int = 200
    errors: tuple[int, ...] = ()
    query: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    open: bool = False
    streams: bool = False


def document(
    operations: Sequence[Operation], version: str, bounds: Mapping[Bound, int], *, needs_key: bool
) -> dict[str, Any]:
    """The OpenAPI 3.2 document of the operations. bounds: the engine's."""
    structs = {op.body for op in operations} | {op.answer for op in operations if op.answer is not None}
    _, schemas = msgspec.json.schema_components(
        sorted(structs | {ErrorAnswer, StreamEvent}, key=lambda struct: struct.__name__), ref_template=_REF
    )
    for struct in structs:
        if issubclass(struct, Body):
            schemas[struct.__name__] |= struct.SCHEMA
    paths: dict[str, dict[str, Any]] = {}
    for op in operations:
        paths.setdefault(op.path, {})[op.method.lower()] = _operation(op, needs_key=needs_key)
    components: dict[str, Any] = {"schemas": schemas}
    if needs_key:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    info = {"title": "genlib", "version": version, "description": "Stateful text generation."}
    described = {"openapi": "3.2.0", "info": info, "paths": paths, "components": components}
    return cast("dict[str, Any]", _bounded(described, bounds))


def _bounded(node: Any, bounds: Mapping[Bound, int]) -> Any:
    """With an engine's bounds in the places of their names."""
    if isinstance(node, list):
        return [_bounded(one, bounds) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: bounds[value] if key in ("maximum", "maxItems") and value in bounds else _bounded(value, bounds)
        for key, value in node.items()
    }


def _operation(op: Operation, *, needs_key: bool) -> dict[str, Any]:
    guarded = needs_key and not op.open
    errors = {500, *op.errors}
    if guarded:
        errors.add(401)
    if op.path.startswith("/v1/"):
        errors |= {400, 503}
    if op.method == "POST":
        errors |= {408, 413, 415}
    described: dict[str, Any] = {
        "operationId": op.serve.__name__,
        "summary": op.summary,
        "responses": {str(op.status): _answer(op), **{str(status): _error(status) for status in sorted(errors)}},
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
        answer["content"] = {op.media_type: {"schema": schema}}
    elif op.status != 204:
        answer["content"] = {op.media_type: {}}
    if op.streams:
        answer["content"]["text/event-stream"] = {"itemSchema": _EVENT}
    return answer


def _parameters(op: Operation) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", op.path)
    ]
    in_query = [{"name": name, "in": "query", "schema": schema} for name, schema in op.query.items()]
    return in_path + in_query


def _json_in_text(name: str) -> dict[str, Any]:
    return {"contentMediaType": "application/json", "contentSchema": {"$ref": _REF.format(name=name)}}


# An event of a stream: a token, the complete response, an error, or the end.
_EVENT = {
    "type": "object",
    "required": ["data"],
    "properties": {"event": {"enum": ["message", "error"]}, "data": {"type": "string"}},
    "if": {"required": ["event"], "properties": {"event": {"const": "error"}}},
    "then": {"properties": {"data": {"anyOf": [_json_in_text("ErrorAnswer")]}}},
    "else": {"properties": {"data": {"anyOf": [_json_in_text("StreamEvent"), {"const": "[DONE]"}]}}},
}


def _error(status: int) -> dict[str, Any]:
    error: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": {"schema": {"$ref": _REF.format(name="ErrorAnswer")}}},
    }
    if status in (429, 503):
        about = "Seconds after which to try again."
        error["headers"] = {"Retry-After": {"description": about, "schema": {"type": "integer", "minimum": 0}}}
    return error

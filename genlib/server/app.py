"""create_app: the routes, and what every request passes on its way to its handler and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..errors import InvalidRequest
from . import answers, failure, wire
from .connection import check_key, check_query, read_body
from .decode import decode
from .handlers import Handlers
from .metrics import ROUTE_KEY, Metrics
from .openapi import Operation, document

if TYPE_CHECKING:
    from ..engine.engine import Engine

Endpoint = Callable[[Request], Awaitable[Response]]

_CALL_ERRORS = (400, 404, 413, 415, 429, 503)

OPERATIONS = (
    Operation(
        "POST", "/v1/generate/token", Handlers.token, "Advance a state", wire.TokenBody, answers.TokenAnswer,
        errors=(*_CALL_ERRORS, 409), streams=True,
    ),
    Operation(
        "POST", "/v1/generate/multi", Handlers.multi, "Draw n continuations of a state",
        wire.MultiBody, answers.MultiAnswer, errors=_CALL_ERRORS,
    ),
    Operation(
        "POST", "/v1/generate/beam", Handlers.beam, "Search the best continuations of a state",
        wire.BeamBody, answers.BeamAnswer, errors=_CALL_ERRORS,
    ),
    Operation(
        "POST", "/v1/states", Handlers.create, "Make a state", wire.CreateBody, answers.StateAnswer, 201,
        errors=(400, 413, 415, 503),
    ),
    Operation(
        "GET", "/v1/states", Handlers.states, "List the states", answer=answers.StatesAnswer,
        errors=(400, 503), query=("limit", "after"),
    ),
    Operation(
        "GET", "/v1/states/{state_id}", Handlers.show, "Show a state",
        answer=answers.StateAnswer, errors=(404, 503),
    ),
    Operation(
        "DELETE", "/v1/states/{state_id}", Handlers.close, "Close a state", status=204, errors=(404, 409, 503)
    ),
    Operation(
        "POST", "/v1/states/{state_id}/fork", Handlers.fork, "Make a state with the same tokens",
        answer=answers.StateAnswer, status=201, errors=(400, 404, 503),
    ),
    Operation(
        "POST", "/v1/states/{state_id}/append", Handlers.append, "Put a text after the state's",
        wire.AppendBody, answers.StateAnswer, errors=(400, 404, 409, 413, 415, 503),
    ),
    Operation(
        "POST", "/v1/states/{state_id}/truncate", Handlers.truncate, "Keep the first tokens",
        wire.TruncateBody, answers.StateAnswer, errors=(400, 404, 409, 415, 503),
    ),
    Operation(
        "POST", "/v1/states/{state_id}/score", Handlers.score, "Ask how likely a text is",
        wire.ScoreBody, answers.ScoreAnswer, errors=_CALL_ERRORS,
    ),
    Operation("GET", "/health", Handlers.health, "The process answers", open=True),
    Operation("GET", "/ready", Handlers.ready, "The engine has stepped lately", errors=(503,), open=True),
    Operation("GET", "/metrics", Handlers.metrics, "Figures for Prometheus", errors=(503,), open=True),
    Operation("GET", "/openapi.json", Handlers.openapi, "This interface, for programs", errors=(503,)),
    Operation("GET", "/", Handlers.index, "What is served", errors=(503,)),
)  # fmt: skip


def create_app(
    engine: Engine,
    *,
    api_key: str | None = None,
    keep_alive: float = 15.0,
    stall_after: float = 30.0,
    max_body: int = 8 << 20,
) -> ASGIApp:
    """An ASGI app over `engine`, which stays the caller's to close. It needs no lifespan events.

    api_key: if given, all routes but /health, /ready and /metrics want `Authorization: Bearer api_key`.
    keep_alive: seconds of silence after which a stream sends a comment. stall_after: seconds without a step
    after which /ready answers 503. max_body: bytes. Raises InvalidRequest for a value that cannot be used.
    """
    if api_key is not None and not api_key.strip():
        raise InvalidRequest("`api_key` must not be empty; None serves without a key", param="api_key")
    for name, value in (("keep_alive", keep_alive), ("stall_after", stall_after), ("max_body", max_body)):
        if not value > 0:
            raise InvalidRequest(f"`{name}` must be above 0, got {value!r}", param=name)
    metrics = Metrics(engine)
    description = document(OPERATIONS, version("genlib"), needs_key=api_key is not None)
    handlers = Handlers(engine, metrics, description, keep_alive=keep_alive, stall_after=stall_after)
    gate = _Gate(handlers, None if api_key is None else api_key.encode(), max_body)
    app = Starlette(
        routes=[Route(path, gate.endpoint(ops), methods=list(ops)) for path, ops in _by_path().items()],
        middleware=[Middleware(metrics.watch)],
        exception_handlers={HTTPException: failure.answer_unrouted},
    )
    app.router.redirect_slashes = False  # a path is served or it is not
    return app


def _by_path() -> dict[str, dict[str, Operation]]:
    paths: dict[str, dict[str, Operation]] = {}
    for op in OPERATIONS:
        paths.setdefault(op.path, {})[op.method] = op
    return paths


class _Gate:
    """What each request passes: the key, the body's limits and decoding; and errors on the way back."""

    def __init__(self, handlers: Handlers, key: bytes | None, max_body: int) -> None:
        self._handlers = handlers
        self._key = key
        self._max_body = max_body

    def endpoint(self, operations: dict[str, Operation]) -> Endpoint:
        """Serves the operations of one path, by method."""

        async def serve(request: Request) -> Response:
            op = operations["GET" if request.method == "HEAD" else request.method]
            request.scope[ROUTE_KEY] = op.path
            try:
                return await self._serve(op, request)
            except ClientDisconnect:
                return Response(status_code=499)
            except Exception as error:
                return failure.answer(error)

        return serve

    async def _serve(self, op: Operation, request: Request) -> Response:
        if not op.open:
            check_key(request, self._key)
        if op.path.startswith("/v1/"):
            check_query(request, op.query)
        data = await read_body(request, self._max_body) if op.method == "POST" else b""
        empty = op.body is wire.EmptyBody and not data
        body = wire.EmptyBody() if empty else decode(data, op.body)
        return await op.serve(self._handlers, request, body)

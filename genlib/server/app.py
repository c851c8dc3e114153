"""create_app: the routes, and the checks that every request passes before its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from .. import defaults
from ..errors import InvalidRequest
from . import about, answers, failure, wire
from .body import Bodies
from .connection import check_key, check_query
from .decode import check_shape, decode
from .fields import Bound
from .handlers import LIMIT_SCHEMA, Handlers
from .metrics import ROUTE_KEY, Metrics
from .openapi import Operation, document
from .threads import Threads

if TYPE_CHECKING:
    from ..engine.engine import Engine

Endpoint = Callable[[Request], Awaitable[Response]]

LARGE_BODY = 1 << 14  # bytes: a larger one is decoded on a thread, so that nobody waits for it

_CALL_ERRORS = (404, 429)

OPERATIONS = (
    Operation(
        "POST", "/v1/generate/token", Handlers.token, "Generate tokens", wire.TokenBody, answers.TokenAnswer,
        errors=(*_CALL_ERRORS, 409), streams=True,
    ),
    Operation(
        "POST", "/v1/generate/multi", Handlers.multi, "Sample n continuations",
        wire.MultiBody, answers.MultiAnswer, errors=_CALL_ERRORS,
    ),
    Operation(
        "POST", "/v1/generate/beam", Handlers.beam, "Run a beam search",
        wire.BeamBody, answers.BeamAnswer, errors=_CALL_ERRORS,
    ),
    Operation(
        "POST", "/v1/states", Handlers.create, "Create a state", wire.CreateBody, answers.StateAnswer, status=201,
    ),
    Operation(
        "GET", "/v1/states", Handlers.states, "List states", answer=answers.StatesAnswer,
        query={"limit": LIMIT_SCHEMA, "after": {"type": "string"}},
    ),
    Operation(
        "GET", "/v1/states/{state_id}", Handlers.show, "Get a state",
        answer=answers.StateAnswer, errors=(404,),
    ),
    Operation(
        "DELETE", "/v1/states/{state_id}", Handlers.close, "Close a state", status=204, errors=(404, 409)
    ),
    Operation(
        "POST", "/v1/states/{state_id}/fork", Handlers.fork, "Fork a state",
        answer=answers.StateAnswer, status=201, errors=(404,),
    ),
    Operation(
        "POST", "/v1/states/{state_id}/append", Handlers.append, "Append text to a state",
        wire.AppendBody, answers.StateAnswer, errors=(404, 409),
    ),
    Operation(
        "POST", "/v1/states/{state_id}/truncate", Handlers.truncate, "Truncate a state",
        wire.TruncateBody, answers.StateAnswer, errors=(404, 409),
    ),
    Operation(
        "POST", "/v1/states/{state_id}/score", Handlers.score, "Score a text as a continuation",
        wire.ScoreBody, answers.ScoreAnswer, errors=_CALL_ERRORS,
    ),
    Operation("GET", "/health", Handlers.health, "Liveness probe", answer=about.HealthAnswer, open=True),
    Operation(
        "GET", "/ready", Handlers.ready, "Readiness probe", answer=about.ReadyAnswer, errors=(503,), open=True
    ),
    Operation(
        "GET", "/metrics", Handlers.metrics, "Prometheus metrics", media_type="text/*", errors=(503,), open=True
    ),
    Operation("GET", "/openapi.json", Handlers.openapi, "OpenAPI description", errors=(503,)),
    Operation("GET", "/", Handlers.index, "Model and routes", answer=about.IndexAnswer, errors=(503,)),
)  # fmt: skip


def create_app(
    engine: Engine,
    *,
    api_key: str | None = None,
    keep_alive: float = 15.0,
    stall_after: float = 30.0,
    max_body: int = 8 << 20,
) -> ASGIApp:
    """Returns an ASGI app that serves `engine`. It needs no lifespan events; the caller closes the engine.

    api_key: if given, all routes except /health, /ready and /metrics require `Authorization: Bearer <api_key>`.
        Default None: no authentication.
    keep_alive: seconds of silence after which a stream sends a comment; above 0. Default 15.
    stall_after: seconds without progress after which /ready returns 503; above 0. Default 30.
    max_body: maximum size of a request body in bytes; above 0. Default 8 MiB.

    Raises InvalidRequest, which names the parameter.
    """
    if api_key is not None and not api_key.strip():
        raise InvalidRequest("`api_key` must not be empty; use None to serve without a key", param="api_key")
    for name, value in (("keep_alive", keep_alive), ("stall_after", stall_after), ("max_body", max_body)):
        if not value > 0:
            raise InvalidRequest(f"`{name}` must be above 0, got {value!r}", param=name)
    metrics = Metrics(engine)
    description = document(OPERATIONS, version("genlib"), _bounds(engine), needs_key=api_key is not None)
    threads = Threads()
    handlers = Handlers(engine, metrics, description, keep_alive=keep_alive, stall_after=stall_after, threads=threads)
    key = None if api_key is None else api_key.encode()
    gate = _Gate(handlers, key, Bodies(max_body), threads, most_items=max(engine.context_length, engine.vocab_size))
    app = Starlette(
        routes=[Route(path, gate.endpoint(ops), methods=list(ops)) for path, ops in _by_path().items()],
        middleware=[Middleware(metrics.watch)],
        exception_handlers={HTTPException: failure.answer_unrouted},
    )
    app.router.redirect_slashes = False  # a path with a trailing slash is another path: 404, not a redirect
    return app


def _bounds(engine: Engine) -> dict[Bound, int]:
    return {
        "context_length": engine.context_length,
        "room": max(1, engine.context_length - max(defaults.MAX_TOKENS, defaults.MAX_LENGTH)),
        "max_batch": engine.max_batch,
        "last_token_id": engine.vocab_size - 1,
    }


def _by_path() -> dict[str, dict[str, Operation]]:
    paths: dict[str, dict[str, Operation]] = {}
    for op in OPERATIONS:
        paths.setdefault(op.path, {})[op.method] = op
    return paths


class _Gate:
    """Checks the key, reads and decodes the body, and turns exceptions into error responses.

    most_items: of a list of numbers, which are tokens.
    """

    def __init__(
        self, handlers: Handlers, key: bytes | None, bodies: Bodies, threads: Threads, *, most_items: int
    ) -> None:
        self._handlers = handlers
        self._key = key
        self._bodies = bodies
        self._threads = threads
        self._most_items = most_items

    def endpoint(self, operations: dict[str, Operation]) -> Endpoint:
        """The endpoint of one path. operations: by method."""

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
        if op.method != "POST":
            return await op.serve(self._handlers, request, wire.EmptyBody())
        async with self._bodies.read(request) as data:
            body = await self._decode(data, op)
        del data  # a call may take long
        return await op.serve(self._handlers, request, body)

    async def _decode(self, data: bytes, op: Operation) -> wire.Body:
        if op.body is wire.EmptyBody and not data:
            return wire.EmptyBody()
        if len(data) < LARGE_BODY:
            return decode(data, op.body)
        return await self._threads.run(partial(_decode_large, data, op.body, self._most_items), len(data))


def _decode_large(data: bytes, body: type[wire.Body], most_items: int) -> wire.Body:
    check_shape(data, most_items)
    return decode(data, body)

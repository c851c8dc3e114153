"""Turns exceptions into responses {"error": {"message", "type", "param", "code"}}."""

from __future__ import annotations

import logging

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..errors import GenlibError, QueueFull
from .answers import ErrorAnswer, ErrorDetail

log = logging.getLogger("genlib.server")

MAX_MESSAGE = 1000  # characters

_TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
    499: "cancelled_error",
    503: "unavailable_error",
}


class Unauthorized(GenlibError):
    """The API key is missing or wrong."""

    status, code = 401, "invalid_api_key"


class RouteNotFound(GenlibError):
    """No route matches the path."""

    status, code = 404, "not_found"


class MethodNotAllowed(GenlibError):
    """The route does not support the method."""

    status, code = 405, "method_not_allowed"


class BodyTooLarge(GenlibError):
    """The request body exceeds the size limit."""

    status, code = 413, "body_too_large"


class RequestTimeout(GenlibError):
    """The request came too slowly."""

    status, code = 408, "request_timeout"


class MalformedRequest(GenlibError):
    """What was sent is not HTTP/1.1."""

    status, code = 400, "malformed_request"


class HeadersTooLarge(GenlibError):
    """The request's headers exceed the size limit."""

    status, code = 431, "headers_too_large"


class UnsupportedMediaType(GenlibError):
    """The request body is not declared as uncompressed JSON in UTF-8."""

    status, code = 415, "unsupported_media_type"


class Stalled(GenlibError):
    """The engine has made no progress for too long."""

    status, code = 503, "stalled"


class Loading(GenlibError):
    """The model is still being loaded."""

    status, code, retry_after = 503, "loading", 1


class Overloaded(GenlibError):
    """The bodies that are being received take too much memory."""

    status, code, retry_after = 503, "overloaded", 1


class TooManyConnections(GenlibError):
    """The server has as many connections as it accepts."""

    status, code, retry_after = 503, "too_many_connections", 1


class Draining(GenlibError):
    """The server is shutting down: running calls may finish, new ones are rejected."""

    status, code, retry_after = 503, "draining", 1


def detail(error: Exception) -> tuple[int, ErrorDetail]:
    """The status and body for an error. Internal errors are logged; the response does not give their details."""
    status = error.status if isinstance(error, GenlibError) else 500
    code = error.code if isinstance(error, GenlibError) else "internal"
    message, param = str(error), error.param if isinstance(error, GenlibError) else None
    if status == 500:
        log.error("a request failed", exc_info=error)
        message, param = "internal error; see the server log", None
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return status, ErrorDetail(
        message=_plain(message)[:MAX_MESSAGE],
        type=kind,
        param=None if param is None else _plain(param),
        code=code,
    )


def encode(error: ErrorDetail) -> bytes:
    """The JSON of an error body."""
    return msgspec.json.encode(ErrorAnswer(error=error))


def answer(error: Exception) -> Response:
    """The response to a failed request."""
    status, body = detail(error)
    headers = {}
    if isinstance(error, QueueFull | Loading | Draining | Overloaded | TooManyConnections):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RequestTimeout):
        headers["Connection"] = "close"
    return Response(encode(body), status, headers, "application/json")


async def answer_unrouted(request: Request, error: Exception) -> Response:
    """Starlette's exception handler for unknown paths and methods."""
    if not isinstance(error, HTTPException):
        return answer(error)
    path = request.url.path
    if error.status_code == 404:
        return answer(RouteNotFound(f"no route matches {path}; GET / lists the routes"))
    if error.status_code == 405:
        response = answer(MethodNotAllowed(f"{path} does not support {request.method}; see the Allow header"))
        response.headers.update(error.headers or {})
        return response
    return answer(error)


def _plain(text: str) -> str:
    """Escapes lone surrogates, which UTF-8 cannot encode, as \\ud800."""
    return text.encode("utf-8", "backslashreplace").decode()

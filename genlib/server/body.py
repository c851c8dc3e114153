"""Reading request bodies, with bounds on their size, their time, and the memory of all of them together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from .failure import BodyTooLarge, Overloaded, RequestTimeout, UnsupportedMediaType

IDLE = 10.0  # seconds without a byte of a body
TOTAL = 120.0  # seconds until the last byte
HELD = 8  # largest bodies that are held at a time


class Bodies:
    """The bodies of one app's requests. All on one event loop."""

    def __init__(self, limit: int) -> None:
        """limit: of one body, in bytes."""
        self._limit = limit
        self._held = 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The body, which must be declared as JSON; its bytes count as held until the block is left.

        Raises BodyTooLarge, UnsupportedMediaType, RequestTimeout, Overloaded.
        """
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._limit:
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in _in_time(request.stream()):
                size += len(chunk)
                self._held += len(chunk)
                if size > self._limit:
                    raise self._too_large()
                if self._held > HELD * self._limit:
                    raise Overloaded("too many large requests are being received; try again in a second")
                chunks.append(chunk)
            if size:
                _check_media_type(request)
            yield b"".join(chunks)
        finally:
            self._held -= size

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body must be at most {self._limit} bytes")


async def _in_time(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks. Raises RequestTimeout if they come too slowly."""
    now = asyncio.get_running_loop().time
    end = now() + TOTAL
    while True:
        try:
            async with asyncio.timeout_at(min(now() + IDLE, end)):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RequestTimeout(f"the body must come within {TOTAL:.0f} s, with no pause over {IDLE:.0f} s") from None
        yield chunk


def _check_media_type(request: Request) -> None:
    given = request.headers.get("content-type", "")
    media, *parameters = (part.strip().lower() for part in given.split(";"))
    charsets = {p.partition("=")[2].strip("\"' ") for p in parameters if p.startswith("charset")}
    if media != "application/json" or not charsets <= {"utf-8", "utf8"}:
        raise UnsupportedMediaType(f"`Content-Type` must be application/json in UTF-8, got {given[:80]!r}")
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise UnsupportedMediaType(f"`Content-Encoding` must be absent or identity, got {encoding[:80]!r}")

"""The streaming response: a call as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..calls.results import Piece, TokenResult
from . import failure
from .connection import cancel_when_gone
from .encode import stream_event

if TYPE_CHECKING:
    from ..calls.call import Call

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
_LINE_ENDS = [(c.encode(), f"\\u{ord(c):04x}".encode()) for c in "\x85\u2028\u2029"]
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class EventStream(Response):
    """Sends one `data:` object per token, then the complete response, then [DONE].

    Nothing is sent before the first token or the first `period` seconds, so that an error until then has its own
    HTTP status; a later one is an `event: error` in the stream.
    """

    def __init__(
        self,
        call: Call[TokenResult],
        state_id: str | None,
        period: float,
        first_token: Callable[[float], None],
        *,
        answer: Callable[[Callable[[], bytes]], Awaitable[bytes]],
        on_end: Callable[[], None],
    ) -> None:
        """state_id: that of the request. period: seconds of silence after which a keep-alive comment is sent.

        first_token: called with the time to first token in seconds. answer: runs what makes the complete response,
        which may be large. on_end: called when the call has ended.
        """
        super().__init__(headers=HEADERS, media_type="text/event-stream")
        del self.headers["content-length"]
        self._call = call
        self._state_id = state_id
        self._on_end = on_end
        self._period = period
        self._first_token = first_token
        self._answer = answer
        self._sent_at = self._began = time.monotonic()
        self._started = False
        self._sending = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relays the call until it ends or the client disconnects."""
        try:
            await self._serve(scope, receive, send)
        finally:
            self._on_end()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with cancel_when_gone(receive, self._call) as presence:
            keeper = asyncio.create_task(self._keep_alive(send))
            try:
                await self._relay(send)
            except ClientDisconnect:
                pass
            except Exception as error:
                if not presence.gone:
                    await self._fail(error, scope, receive, send)
            finally:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)

    async def _relay(self, send: Send) -> None:
        first = True
        try:
            async for piece in self._call:
                if first:
                    first = False
                    self._first_token(time.monotonic() - self._began)
                await self._say(self._data(piece), send)
                await asyncio.sleep(0)  # pieces that are there already are no reason to keep others waiting
            last = await self._answer(lambda: self._data(self._call.result()) + DONE)
            await self._say(last, send, last=True)
        except BaseException:
            # Must precede the closing of the iterator, which would commit the pieces read so far.
            self._call.cancel()
            raise

    def _data(self, result: Piece | TokenResult) -> bytes:
        return _data_line(msgspec.json.encode(stream_event(self._state_id, result)))

    async def _keep_alive(self, send: Send) -> None:
        while True:
            silent = time.monotonic() - self._sent_at
            if silent < self._period:
                await asyncio.sleep(self._period - silent)
                continue
            try:
                await self._say(KEEP_ALIVE, send)
            except ClientDisconnect:
                self._call.cancel()
                return

    async def _say(self, data: bytes, send: Send, *, last: bool = False) -> None:
        """Sends a part of the body. Raises ClientDisconnect where the server reports a disconnect as an OSError."""
        async with self._sending:
            try:
                if not self._started:
                    self._started = True
                    start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                    await send(start)
                await send({"type": "http.response.body", "body": data, "more_body": not last})
            except OSError as error:
                raise ClientDisconnect from error
            self._sent_at = time.monotonic()

    async def _fail(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._started:
            await failure.answer(error)(scope, receive, send)
            return
        with suppress(ClientDisconnect):
            await self._say(error_event(error), send, last=True)


def error_event(error: Exception) -> bytes:
    """The end of a stream that fails."""
    _, detail = failure.detail(error)
    return b"event: error\n" + _data_line(failure.encode(detail)) + DONE


def _data_line(document: bytes) -> bytes:
    """An event of JSON. The ends of lines that only Unicode knows are escaped, since some clients split at them too.

    In JSON these characters can stand in strings only.
    """
    for character, escape in _LINE_ENDS:
        document = document.replace(character, escape)
    return b"data: " + document + b"\n\n"

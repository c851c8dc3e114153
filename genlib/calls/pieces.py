"""What a stream's pieces are taken from, by `for` and by `async for`.

Each loop has an iterator of its own, so that a `break` drops it at once, though the stream may live on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Protocol

from ..handles import Handle
from .results import Piece, TokenResult


class StreamingCall(Protocol):
    """The handle of a call that streams."""

    def next_piece(self) -> Piece | None: ...
    async def __anext__(self) -> Piece: ...
    def result(self, timeout: float | None = None) -> Any: ...
    def close(self) -> None: ...
    def watch(self, handle: object) -> None: ...


class PieceIterator(Handle, Iterator[Piece]):
    """Takes pieces; once it is dropped, the stream has been left."""

    INSTEAD = "use its pieces"

    def __init__(self, call: StreamingCall) -> None:
        self._call = call
        call.watch(self)

    def __next__(self) -> Piece:
        piece = self._call.next_piece()
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Leaves the stream."""
        self._call.close()


class AsyncPieceIterator(Handle, AsyncIterator[Piece]):
    """The same for coroutines."""

    INSTEAD = "use its pieces"

    def __init__(self, call: StreamingCall) -> None:
        self._call = call
        call.watch(self)

    async def __anext__(self) -> Piece:
        return await self._call.__anext__()

    async def aclose(self) -> None:
        """Leaves the stream."""
        self._call.close()


class TokenStream(Handle, Iterator[Piece]):
    """What generate_token(stream=True) returns: the pieces, and then the whole result.

    `for` takes the pieces; leaving the loop, `close()`, the end of a `with` block, or dropping the stream commits the
    tokens of those that were taken. `result()` takes all that are left, commits them and returns the whole.
    """

    INSTEAD = "use its pieces"

    def __init__(self, call: StreamingCall) -> None:
        self._call = call

    def __iter__(self) -> PieceIterator:
        return PieceIterator(self._call)

    def __next__(self) -> Piece:
        piece = self._call.next_piece()
        if piece is None:
            raise StopIteration
        return piece

    def __enter__(self) -> TokenStream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def result(self, timeout: float | None = None) -> TokenResult:
        """Waits for the end and returns the whole result, of a stream that was left what was committed.

        timeout: in seconds; then TimeoutError, and the stream goes on. Raises the call's error.
        """
        result: TokenResult = self._call.result(timeout)
        return result

    def close(self) -> None:
        """Leaves the stream."""
        self._call.close()

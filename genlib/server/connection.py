"""The client's side of a request: authentication, the query, and noticing a disconnect.

Starlette does not tell a plain handler that its client has disconnected, and a streaming one only under some
servers, so every call is watched from here.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.types import Receive

from ..errors import UnknownField
from .failure import Unauthorized

if TYPE_CHECKING:
    from ..calls.call import Call
    from ..calls.results import Result


def check_key(request: Request, key: bytes | None) -> None:
    """Raises Unauthorized unless the request carries `key`; compares in constant time."""
    if key is None:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    # Starlette decoded the header as latin-1; encoding it restores the bytes as sent.
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("latin-1"), key):
        raise Unauthorized("missing or wrong API key; send it as `Authorization: Bearer <key>`")


def caller_of(request: Request) -> str:
    """Who takes turns with others: the client's address; of IPv6 its first half, since one has the whole second."""
    host = "" if request.client is None else request.client.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a server's own names, such as those of sockets that are files
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))


def check_query(request: Request, known: Collection[str]) -> None:
    """Raises UnknownField for a query parameter that is unknown or given twice."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            raise UnknownField(f"unknown query parameter `{name[:80]}`", param=name[:80])
        if names.count(name) > 1:
            raise UnknownField(f"duplicate query parameter `{name}`", param=name)


@dataclass(slots=True)
class Presence:
    """Whether the client is still connected."""

    gone: bool = False


@asynccontextmanager
async def cancel_when_gone(receive: Receive, call: Call[Result]) -> AsyncIterator[Presence]:
    """Cancels the call if the client disconnects, or if the block is left before the call has ended.

    The request body must have been read: all that `receive` can then still return is the disconnect.
    """
    presence = Presence()

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        presence.gone = True
        call.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield presence
    finally:
        call.cancel()  # does nothing if the call has ended
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)

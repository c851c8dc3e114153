"""Bodies of requests, and how their refusal is asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from genlib.errors import InvalidRequest
from genlib.server.decode import decode
from genlib.server.wire import (
    AppendBody,
    BeamBody,
    Body,
    CreateBody,
    EmptyBody,
    MultiBody,
    ScoreBody,
    TokenBody,
    TruncateBody,
)

STATE: Any = object()
BODIES = [TokenBody, MultiBody, BeamBody, CreateBody, AppendBody, TruncateBody, ScoreBody, EmptyBody]


def refusal(data: bytes | str, body: type[Body] = TokenBody) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        decode(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data, body)
    return caught.value


def token(**fields: Any) -> str:
    return json.dumps({"state_id": "s", **fields})

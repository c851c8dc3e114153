"""What the server says about itself: the response bodies of the probes and of its first page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct


class HealthAnswer(Struct, frozen=True, kw_only=True):
    """The process responds."""

    status: Literal["ok"]


class ReadyAnswer(Struct, frozen=True, kw_only=True):
    """The engine makes steps, or is idle. `last_step_age` is in seconds."""

    status: Literal["ready"]
    last_step_age: float


class RouteAnswer(Struct, frozen=True, kw_only=True):
    """A route."""

    method: str
    path: str
    summary: str


class IndexAnswer(Struct, frozen=True, kw_only=True):
    """The model that is served, and the routes."""

    name: str
    version: str
    model: str
    context_length: int
    fingerprint: str
    routes: Sequence[RouteAnswer]

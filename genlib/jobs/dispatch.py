"""From what a call asks for to the job that does it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ..calls.call import Call
from ..calls.requests import BeamSearch, GenerateMulti, Request, Score
from .base import BaseJob, ScoreJob, TokenJob
from .beam import BeamJob
from .multi import MultiJob

if TYPE_CHECKING:
    from ..engine.engine import Engine


def job_for(engine: Engine, call: Call[Any], request: Request) -> BaseJob:
    """The job of a request. It draws its seed here, if the caller gave none. Raises StateNotFound."""
    if isinstance(request, BeamSearch):
        return BeamJob(engine, call, request)
    if isinstance(request, Score):
        return ScoreJob(engine, call, request)
    seed = request.sampling.seed
    if seed is None:
        seed = secrets.randbits(53)
    if isinstance(request, GenerateMulti):
        return MultiJob(engine, call, request, seed)
    return TokenJob(engine, call, request, seed)

"""From what a call asks for to the job that does it."""

from __future__ import annotations

import secrets
from typing import Any

from ..calls.call import Call
from ..calls.requests import BeamSearch, GenerateMulti, Request, Score
from .base import Job, Resources
from .beam import BeamJob
from .multi import MultiJob
from .score import ScoreJob
from .token import TokenJob


def job_for(use: Resources, call: Call[Any], request: Request) -> Job:
    """The job of a request. It draws its seed here, if the caller gave none. Raises StateNotFound."""
    if isinstance(request, BeamSearch):
        return BeamJob(use, call, request)
    if isinstance(request, Score):
        return ScoreJob(use, call, request)
    seed = request.sampling.seed
    if seed is None:
        seed = secrets.randbits(53)
    if isinstance(request, GenerateMulti):
        return MultiJob(use, call, request, seed)
    return TokenJob(use, call, request, seed)

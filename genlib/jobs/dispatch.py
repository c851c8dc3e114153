"""From a request to its job."""

from __future__ import annotations

import secrets
from typing import Any

from ..calls.channel import Channel
from ..calls.requests import BeamSearch, GenerateMulti, GenerateToken, Request, Score
from ..checks import refuse
from .base import Job, Resources
from .beam import BeamJob
from .multi import MultiJob
from .score import ScoreJob
from .token import TokenJob


def job_for(use: Resources, channel: Channel, request: Request[Any]) -> Job:
    """Creates the job of a request, with a seed if the caller gave none. Raises StateNotFound."""
    match request:
        case GenerateToken():
            return TokenJob(use, channel, request, _seed(request))
        case GenerateMulti():
            return MultiJob(use, channel, request, _seed(request))
        case BeamSearch():
            return BeamJob(use, channel, request)
        case Score():
            return ScoreJob(use, channel, request)
    raise refuse("request", "be a GenerateToken, GenerateMulti, BeamSearch or Score", request)


def _seed(request: GenerateToken | GenerateMulti) -> int:
    """The caller's seed, or a random one below 2⁵³, which a JavaScript number can represent."""
    seed = request.sampling.seed
    return secrets.randbits(53) if seed is None else seed

"""From a request to its job."""

from __future__ import annotations

import secrets
from typing import Any

from ..calls.channel import Channel
from ..calls.requests import BeamSearch, GenerateMulti, GenerateToken, Request, Score, ScoreMany
from ..checks import refuse
from .base import Job, Resources
from .beam import BeamJob
from .multi import MultiJob
from .score import ScoreJob
from .search_slots import Stops
from .token import TokenJob


def prepare(use: Resources, request: Request[Any], stop_sequences: tuple[str, ...]) -> Stops | None:
    """What of a request takes long to work out: without the engine's lock. stop_sequences: the state's own."""
    if not isinstance(request, BeamSearch):
        return None
    return use.searches.compile(stop_sequences if request.stop_sequences is None else request.stop_sequences)


def job_for(use: Resources, channel: Channel, request: Request[Any], prepared: Stops | None) -> Job:
    """Creates the job of a request, with a seed if the caller gave none. Raises StateNotFound."""
    match request:
        case GenerateToken():
            return TokenJob(use, channel, request, _seed(request))
        case GenerateMulti():
            return MultiJob(use, channel, request, _seed(request))
        case BeamSearch():
            return BeamJob(use, channel, request, prepared)
        case Score() | ScoreMany():
            return ScoreJob(use, channel, request)
    raise refuse("request", "be a GenerateToken, GenerateMulti, BeamSearch, Score or ScoreMany", request)


def _seed(request: GenerateToken | GenerateMulti) -> int:
    """The caller's seed, or a random one below 2⁵³, which a JavaScript number can represent."""
    seed = request.sampling.seed
    return secrets.randbits(53) if seed is None else seed

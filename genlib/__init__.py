"""genlib: kernels and key/value states for stateful text generation. A seed is a promise.

import genlib

with genlib.Engine() as engine:
    state = engine.create_state("Once upon a time")
    print(genlib.generate_token(state, max_tokens=20, seed=7).text)
"""

from . import aio
from .api import beam_search, generate_multi, generate_token
from .calls.call import Call
from .calls.requests import BeamSearch, GenerateMulti, GenerateToken, Score
from .calls.results import BeamResult, MultiResult, Piece, TokenResult, TopLogprob
from .engine.engine import Engine
from .engine.stats import EngineStats
from .errors import (
    BackendError,
    CallCancelled,
    CheckpointError,
    ContextLengthExceeded,
    EngineClosed,
    GenlibError,
    InvalidRequest,
    ModelError,
    OutOfCapacity,
    QueueFull,
    StateBusy,
    StateNotFound,
    TokenMaskError,
    UnknownField,
)
from .sampling.masks import TokenMask
from .sampling.params import Sampling
from .states.score import ScoreResult
from .states.state import State

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "BeamResult",
    "BeamSearch",
    "Call",
    "CallCancelled",
    "CheckpointError",
    "ContextLengthExceeded",
    "Engine",
    "EngineClosed",
    "EngineStats",
    "GenerateMulti",
    "GenerateToken",
    "GenlibError",
    "InvalidRequest",
    "ModelError",
    "MultiResult",
    "OutOfCapacity",
    "Piece",
    "QueueFull",
    "Sampling",
    "Score",
    "ScoreResult",
    "State",
    "StateBusy",
    "StateNotFound",
    "TokenMask",
    "TokenMaskError",
    "TokenResult",
    "TopLogprob",
    "UnknownField",
    "__version__",
    "aio",
    "beam_search",
    "generate_multi",
    "generate_token",
]

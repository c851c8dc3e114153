"""Stateful text generation: an Engine runs a model, a State holds a text with its KV cache, and calls generate from it.

    import genlib

    with genlib.Engine() as engine:
        state = engine.create_state("Once upon a time")
        print(genlib.generate_token(state, max_tokens=20, seed=7).text)

generate_token, generate_multi and beam_search wait for their result, and so does generate_tokens, which generates from
many states at once. genlib.aio has the same calls for coroutines, and Engine.submit returns a Call. With a given seed a
call gives the same tokens, bit for bit, whatever else is running.
"""

from . import aio
from .api import beam_search, generate_multi, generate_token, generate_tokens
from .calls.call import Call
from .calls.group import CallGroup
from .calls.pieces import TokenStream
from .calls.requests import BeamSearch, GenerateMulti, GenerateToken, Score, ScoreMany
from .calls.results import Beam, BeamResult, MultiResult, Piece, TokenResult, TopLogprob
from .engine.engine import Engine
from .engine.stats import EngineStats
from .errors import (
    BackendError,
    CallCancelled,
    CallTimeout,
    CheckpointError,
    ContextLengthExceeded,
    EngineClosed,
    EngineFailed,
    EngineForked,
    GenlibError,
    InvalidRequest,
    ModelError,
    OutOfCapacity,
    QueueFull,
    ReentrantCall,
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
    "Beam",
    "BeamResult",
    "BeamSearch",
    "Call",
    "CallCancelled",
    "CallGroup",
    "CallTimeout",
    "CheckpointError",
    "ContextLengthExceeded",
    "Engine",
    "EngineClosed",
    "EngineFailed",
    "EngineForked",
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
    "ReentrantCall",
    "Sampling",
    "Score",
    "ScoreMany",
    "ScoreResult",
    "State",
    "StateBusy",
    "StateNotFound",
    "TokenMask",
    "TokenMaskError",
    "TokenResult",
    "TokenStream",
    "TopLogprob",
    "UnknownField",
    "__version__",
    "aio",
    "beam_search",
    "generate_multi",
    "generate_token",
    "generate_tokens",
]

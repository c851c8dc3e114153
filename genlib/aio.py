"""The calls for coroutines: the same parameters as in genlib, but they return a Call to await or iterate.

    result = await genlib.aio.generate_token(state, max_tokens=5)
    async for piece in genlib.aio.generate_token(state, max_tokens=40, stream=True): ...
    results = await genlib.aio.generate_tokens(states, max_tokens=5)

Cancelling a coroutine that awaits a call cancels the call, which then commits nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Unpack, cast

from .api.arguments import engine_of, gathered
from .api.tokens import submit_tokens
from .calls.call import Call
from .calls.group import CallGroup
from .calls.names import suggesting
from .calls.options import BeamOptions, MultiOptions, TokenOptions, TokensOptions
from .calls.requests import BeamSearch, GenerateMulti, GenerateToken, Request
from .calls.results import BeamResult, MultiResult, R, TokenResult
from .states.state import State


def _submit(state: State, kind: Callable[..., Request[R]], options: object, *, stream: bool = False) -> Call[R]:
    """Submits a request of a kind, made of the options; `timeout` is the call's."""
    left = dict(cast("dict[str, Any]", options))
    timeout = left.pop("timeout", None)
    return engine_of(state).submit(kind(state, **left), stream=stream, timeout=timeout)


@suggesting(TokenOptions)
def generate_token(state: State, *, stream: bool = False, **options: Unpack[TokenOptions]) -> Call[TokenResult]:
    """genlib.generate_token as a Call to await or, with stream=True, to iterate with `async for`.

    Invalid arguments raise here; errors during generation raise where the call is awaited or iterated.
    """
    return _submit(state, GenerateToken, gathered(options), stream=stream)


@suggesting(TokensOptions)
def generate_tokens(states: Sequence[State], **options: Unpack[TokensOptions]) -> CallGroup[TokenResult]:
    """genlib.generate_tokens as a CallGroup to await: the results, in order. Errors as for generate_token.

    It never waits in line: QueueFull if the queue has no room for all.
    """
    return submit_tokens(states, options)


@suggesting(MultiOptions)
def generate_multi(state: State, **options: Unpack[MultiOptions]) -> Call[MultiResult]:
    """genlib.generate_multi as a Call to await. Errors as for generate_token."""
    return _submit(state, GenerateMulti, gathered(options))


@suggesting(BeamOptions)
def beam_search(state: State, **options: Unpack[BeamOptions]) -> Call[BeamResult]:
    """genlib.beam_search as a Call to await. Errors as for generate_token."""
    return _submit(state, BeamSearch, options)

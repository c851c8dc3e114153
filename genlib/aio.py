"""The three calls for coroutines: the same parameters as in genlib, but they return a Call to await or iterate.

    result = await genlib.aio.generate_token(state, max_tokens=5)
    async for piece in genlib.aio.generate_token(state, max_tokens=40, stream=True): ...

Cancelling a coroutine that awaits a call cancels the call, which then commits nothing.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Unpack, cast

from .api import engine_of
from .calls.call import Call
from .calls.names import suggesting
from .calls.options import BeamOptions, MultiOptions, TokenOptions
from .calls.requests import BeamSearch, GenerateMulti, GenerateToken
from .calls.results import BeamResult, MultiResult, TokenResult
from .sampling.params import Sampling
from .states.state import State


def _arguments(options: object) -> dict[str, Any]:
    """The arguments of a request: the fields of Sampling are gathered into one."""
    left = dict(cast("dict[str, Any]", options))
    left.pop("timeout", None)  # of the call, not of the request
    sampling = {f.name: left.pop(f.name) for f in fields(Sampling) if f.name in left}
    return {**left, "sampling": Sampling(**sampling)}


@suggesting(TokenOptions)
def generate_token(state: State, *, stream: bool = False, **options: Unpack[TokenOptions]) -> Call[TokenResult]:
    """genlib.generate_token as a Call to await or, with stream=True, to iterate with `async for`.

    Invalid arguments raise here; errors during generation raise where the call is awaited or iterated.
    """
    return engine_of(state).submit(
        GenerateToken(state, **_arguments(options)), stream=stream, timeout=options.get("timeout")
    )


@suggesting(MultiOptions)
def generate_multi(state: State, **options: Unpack[MultiOptions]) -> Call[MultiResult]:
    """genlib.generate_multi as a Call to await. Errors as for generate_token."""
    return engine_of(state).submit(GenerateMulti(state, **_arguments(options)), timeout=options.get("timeout"))


@suggesting(BeamOptions)
def beam_search(state: State, **options: Unpack[BeamOptions]) -> Call[BeamResult]:
    """genlib.beam_search as a Call to await. Errors as for generate_token."""
    given = {name: value for name, value in options.items() if name != "timeout"}
    return engine_of(state).submit(BeamSearch(state, **cast("dict[str, Any]", given)), timeout=options.get("timeout"))

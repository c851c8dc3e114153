"""What calls answer, in a form that can be compared: all that they say, without the names of states."""

from __future__ import annotations

from typing import Any

import genlib


def answer_of(result: Any) -> tuple[Any, ...]:
    """Of any call."""
    if isinstance(result, genlib.MultiResult):
        return tuple((*answer_of(one), kept(one.state)) for one in result.continuations)
    if isinstance(result, genlib.BeamResult):
        return result.token_ids, result.scores, result.beams, result.finished, tuple(map(kept, result.states))
    if isinstance(result, genlib.TokenResult):
        return result.token_ids, result.logprobs, result.text, result.finish_reason
    return result.token_ids, result.logprobs


def kept(state: genlib.State | None) -> object:
    """What a state is, if there is one."""
    return state and (state.tokens, state.stream, state.finished)

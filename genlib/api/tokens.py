"""generate_tokens: generate_token on many states in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack, cast

from ..calls.group import CallGroup
from ..calls.names import suggesting
from ..calls.options import TokensOptions
from ..calls.requests import GenerateToken
from ..calls.results import TokenResult
from ..checks import as_list, check_int, plain, refuse
from ..engine.engine import Engine
from ..sampling.masks import check_token_mask, forked
from ..sampling.seeds import numbered
from ..states.state import State
from .arguments import engine_of, gathered


@suggesting(TokensOptions)
def generate_tokens(states: Sequence[State], **options: Unpack[TokensOptions]) -> tuple[TokenResult, ...]:
    """generate_token on many states of one engine at a time: the results, in the order of the states.

    Each result is, bit for bit, that of generate_token on its state alone with its seed. The states share the steps of
    the engine; more than its max_batch take turns, and more than its max_queue wait in line.

        states: each is appended to, and may be given once.
        seed: one for all, which state 0 uses as it is, and state i as splitmix64(seed, i); or a list with a seed, or
            None, for each. None (default) picks one at random for each. The results report them.
        token_mask: as for generate_token; each state uses a fork of it.
        timeout: end all with CallTimeout after this many seconds. Default None (never).

    All other parameters are those of generate_token, except `stream`, and apply to every state. All states are appended
    to at once, when all have their tokens. If one fails, or somebody is interrupted while waiting, the others are
    cancelled, and no state is changed. Raises what generate_token raises, except QueueFull; of several errors, that of
    the first state.
    """
    return submit_tokens(states, options, wait=True).result()


def submit_tokens(states: Sequence[State], options: object, *, wait: bool = False) -> CallGroup[TokenResult]:
    """Submits a request for each state. wait: as for Engine.submit. Raises InvalidRequest, and as that does."""
    given = as_list("states", "be a list of states", states)
    engine = _engine_of(given)
    left = dict(cast("dict[str, Any]", options))
    timeout, mask = left.pop("timeout", None), left.pop("token_mask", None)
    if mask is not None:
        check_token_mask(mask)
    seeds = _seeds(left.pop("seed", None), len(given))
    requests = [
        GenerateToken(state, **gathered({**left, "seed": seed}), token_mask=forked(mask))
        for state, seed in zip(given, seeds, strict=True)
    ]
    return CallGroup(None, ()) if engine is None else engine.submit_all(requests, timeout=timeout, wait=wait)


def _engine_of(states: list[Any]) -> Engine | None:
    """The engine of the states; None if there are none. Raises InvalidRequest, which names the state at fault."""
    engines = [engine_of(state, f"states[{i}]") for i, state in enumerate(states)]
    first: dict[int, int] = {}
    for i, (state, engine) in enumerate(zip(states, engines, strict=True)):
        if engine is not engines[0]:
            raise refuse(f"states[{i}]", "be of the same engine as states[0]", state)
        if first.setdefault(id(state), i) != i:
            raise refuse(f"states[{i}]", f"not be states[{first[id(state)]}] again; fork it", state)
    return engines[0] if engines else None


def _seeds(seed: object, count: int) -> list[int | None]:
    """The seed of each state. Raises InvalidRequest."""
    seed = plain(seed)
    if seed is None:
        return [None] * count
    if isinstance(seed, int):
        check_int("seed", seed, 0, 2**64 - 1)
        return [numbered(seed, i) for i in range(count)]
    seeds = as_list("seed", "be an integer, a list of them, or None", seed)
    if len(seeds) != count:
        raise refuse("seed", f"have as many seeds as there are states ({count})", seeds)
    for i, one in enumerate(seeds):
        if one is not None:
            check_int(f"seed[{i}]", one, 0, 2**64 - 1)
    return seeds

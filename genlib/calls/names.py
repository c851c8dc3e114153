"""What other libraries call the parameters of a call, for those who try it first."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar, get_type_hints

P = ParamSpec("P")
T = TypeVar("T")

_ELSEWHERE = {
    "stop": ("stop_sequences",),
    "stop_strings": ("stop_sequences",),
    "max_new_tokens": ("max_tokens", "max_length"),
    "max_completion_tokens": ("max_tokens",),
    "n_predict": ("max_tokens",),
    "min_new_tokens": ("min_tokens",),
    "num_return_sequences": ("n", "num_return"),
    "best_of": ("n", "num_beams"),
    "beam_size": ("num_beams",),
    "beam_width": ("num_beams",),
    "num_hypotheses": ("num_return",),
    "repeat_penalty": ("repetition_penalty",),
    "logprobs": ("top_logprobs",),
    "random_seed": ("seed",),
    "prompt": ("state", "state_id"),
    "input_ids": ("tokens", "state", "state_id"),
}


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` may stand for."""
    known = list(known)
    elsewhere = next((other for other in _ELSEWHERE.get(name, ()) if other in known), None)
    return elsewhere or next(iter(difflib.get_close_matches(name, known, n=1)), None)


def suggesting(options: type | None = None) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Makes a function's TypeError for an unknown argument name the one that may have been meant.

    options: the TypedDict of the arguments that it takes by name as **options.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        parameters = inspect.signature(function).parameters.values()
        named = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
        known = [*named, *get_type_hints(options or object)]

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> T:
            for name in kwargs:
                if name not in known:
                    meant = suggestion(name, known)
                    what = f"{function.__name__}() got an unexpected keyword argument {name!r}"
                    raise TypeError(what if meant is None else f"{what}; did you mean {meant!r}?")
            return function(*args, **kwargs)

        return checked

    return decorate

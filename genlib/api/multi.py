"""generate_multi."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import defaults
from ..calls.names import suggesting
from ..calls.requests import GenerateMulti, Probability
from ..calls.results import MultiResult
from ..sampling.masks import TokenMask
from ..sampling.params import Sampling
from ..states.state import State
from .arguments import as_given, engine_of


@suggesting()
def generate_multi(
    state: State,
    *,
    n: int = defaults.NUM_CONTINUATIONS,
    max_tokens: int | None = defaults.MAX_TOKENS,
    min_tokens: int = defaults.MIN_TOKENS,
    temperature: float = defaults.TEMPERATURE,
    top_p: float = defaults.TOP_P,
    top_k: int = defaults.TOP_K,
    min_p: float = defaults.MIN_P,
    seed: int | None = None,
    repetition_penalty: float = defaults.REPETITION_PENALTY,
    presence_penalty: float = defaults.PRESENCE_PENALTY,
    frequency_penalty: float = defaults.FREQUENCY_PENALTY,
    logit_bias: Mapping[int, float] | None = None,
    allowed_tokens: Sequence[int] | None = None,
    token_mask: TokenMask | None = None,
    stop_sequences: Sequence[str] | None = None,
    include_stop: bool = True,
    ignore_eos: bool = False,
    probability: Probability = defaults.PROBABILITY,
    top_logprobs: int = defaults.TOP_LOGPROBS,
    keep_states: bool = False,
    timeout: float | None = None,
) -> MultiResult:
    """Samples `n` continuations of a state, which is left unchanged.

    Continuation 0 is what generate_token returns for the same seed; continuation i does not depend on `n`.

        n: number of continuations; 1 to 65536, with keep_states to 1024. More than the engine's max_batch run in waves.
            Default 1.
        keep_states: also keep each continuation as a new state (`.state`), with its KV cache in place. Default False.
        token_mask: as for generate_token; each continuation uses a fork of it.

    All other parameters are those of generate_token. Raises the same errors, except StateBusy.
    """
    sampling = Sampling(
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        min_p=min_p,
        seed=seed,
        repetition_penalty=repetition_penalty,
        presence_penalty=presence_penalty,
        frequency_penalty=frequency_penalty,
        logit_bias=logit_bias,
        allowed_tokens=allowed_tokens,
    )
    request = GenerateMulti(
        state,
        n=n,
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        sampling=sampling,
        token_mask=token_mask,
        stop_sequences=as_given(stop_sequences),
        include_stop=include_stop,
        ignore_eos=ignore_eos,
        probability=probability,
        top_logprobs=top_logprobs,
        keep_states=keep_states,
    )
    return engine_of(state).run(request, timeout=timeout)

"""generate_token: checks its arguments, submits one request to the state's engine, and waits for the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Unpack, overload

from .. import defaults
from ..calls.names import suggesting
from ..calls.options import TokenOptions
from ..calls.pieces import TokenStream
from ..calls.requests import GenerateToken, Probability
from ..calls.results import TokenResult
from ..checks import check_bool
from ..sampling.masks import TokenMask
from ..sampling.params import Sampling
from ..states.state import State
from .arguments import as_given, engine_of


@overload
def generate_token(state: State, *, stream: Literal[False] = False, **options: Unpack[TokenOptions]) -> TokenResult: ...
@overload
def generate_token(state: State, *, stream: Literal[True], **options: Unpack[TokenOptions]) -> TokenStream: ...
@overload
def generate_token(state: State, *, stream: bool, **options: Unpack[TokenOptions]) -> TokenResult | TokenStream: ...
@suggesting()
def generate_token(
    state: State,
    *,
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
    stream: bool = False,
    timeout: float | None = None,
) -> TokenResult | TokenStream:
    """Generates up to `max_tokens` tokens and appends them to the state.

    Returns a TokenResult, or with `stream` a TokenStream. A state that has ended (`state.finished`) returns no
    tokens until text is appended to it or it is truncated.

    How long:
        max_tokens: at least 1, and no more than the context has left. None: until the text ends or the context is
            full; pages for all of it are reserved. Default 16.
        min_tokens: no end of text or stop sequence ends the call before this many; 0 to max_tokens. Default 0.
        stop_sequences: at most 64 strings. The call ends with the token that completes one of them, which stays in
            the text. None (default) uses the state's own; an empty list uses none.
        include_stop: False leaves the stop sequence, and what its last token has after it, out of `text`, `new_tokens`
            and the pieces of a stream, but not out of the state. Default True.
        ignore_eos: never draw an end-of-text token. Default False.
    How each token is drawn:
        temperature: 0 for greedy decoding, or 1e-6 to 1e4. Default 1.
        top_p: draw from the most likely tokens whose probabilities add up to this; 0 < top_p <= 1. Default 1 (off).
        top_k: draw from the k most likely tokens; 0 or more. Default 0 (off).
        min_p: drop tokens below this fraction of the top probability; 0 to 1. Default 0 (off).
        seed: 0 to 2**64 - 1. None (default) picks one at random; the result reports it.
        repetition_penalty: divides the logit of every token in the state (multiplies it if negative); 0.01 to 100.
            Default 1 (off).
        presence_penalty: subtracted from the logit of every token generated in the state; -100 to 100. Default 0.
        frequency_penalty: the same, once per occurrence; -100 to 100. Default 0.
        logit_bias: token id -> value added to its logit, -100 to 100; at most 1024 tokens. Default None.
        allowed_tokens: the only token ids that may be drawn; end-of-text tokens must be listed to be allowed. None
            (default) allows all.
        token_mask: an object that decides before each token which ones may come next (genlib.TokenMask), such as a
            grammar. Default None.
    What is returned:
        probability: "model" (default) reports the model's own probabilities (softmax of the unmodified logits),
            "sampling" those of the distribution sampled from.
        top_logprobs: also report this many of the most likely tokens at each position; 0 to 64. Default 0.
        stream: return a TokenStream, which iterates over one Piece per token. If it is left early, only the tokens
            taken from it are appended to the state. Default False.
        timeout: end the call with CallTimeout after this many seconds. Default None (never).

    Raises InvalidRequest (which names the parameter), StateNotFound, StateBusy, ContextLengthExceeded, OutOfCapacity,
    QueueFull, TokenMaskError, ModelError, CallTimeout, EngineClosed; the state is then unchanged.
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
    request = GenerateToken(
        state,
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        sampling=sampling,
        token_mask=token_mask,
        stop_sequences=as_given(stop_sequences),
        include_stop=include_stop,
        ignore_eos=ignore_eos,
        probability=probability,
        top_logprobs=top_logprobs,
    )
    check_bool("stream", stream)
    engine = engine_of(state)
    if stream:
        return TokenStream(engine.submit(request, stream=True, timeout=timeout))
    return engine.run(request, timeout=timeout)

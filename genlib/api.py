"""The three calls. Each checks its arguments, submits one request to the state's engine, and waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypedDict, Unpack, cast, overload

from .calls.call import Call
from .calls.requests import BeamSearch, EarlyStopping, GenerateMulti, GenerateToken, Probability
from .calls.results import BeamResult, MultiResult, Piece, TokenResult
from .sampling.masks import TokenMask
from .sampling.params import Sampling
from .states.state import State


class TokenOptions(TypedDict, total=False):
    """What generate_token takes, by name."""

    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    seed: int | None
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[int, float] | None
    allowed_tokens: Sequence[int] | None
    stop_sequences: Sequence[str] | None
    min_tokens: int
    ignore_eos: bool
    probability: Probability
    top_logprobs: int
    token_mask: TokenMask | None


def _stops(stop_sequences: Sequence[str] | None) -> tuple[str, ...] | None:
    """Requests check the type, and make it a tuple."""
    return cast("tuple[str, ...] | None", stop_sequences)


@overload
def generate_token(state: State, *, stream: Literal[False] = False, **options: Unpack[TokenOptions]) -> TokenResult: ...
@overload
def generate_token(state: State, *, stream: Literal[True], **options: Unpack[TokenOptions]) -> Iterator[Piece]: ...
def generate_token(
    state: State,
    *,
    max_tokens: int = 16,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    min_p: float = 0.0,
    seed: int | None = None,
    repetition_penalty: float = 1.0,
    presence_penalty: float = 0.0,
    frequency_penalty: float = 0.0,
    logit_bias: Mapping[int, float] | None = None,
    allowed_tokens: Sequence[int] | None = None,
    stop_sequences: Sequence[str] | None = None,
    min_tokens: int = 0,
    ignore_eos: bool = False,
    probability: Probability = "model",
    top_logprobs: int = 0,
    token_mask: TokenMask | None = None,
    stream: bool = False,
) -> TokenResult | Iterator[Piece]:
    """Advances a state by up to `max_tokens` tokens; docs/design.md §5 says what each parameter means.

    With stream=True gives the tokens as they come. A consumer that stops taking commits what it has taken.
    Raises InvalidRequest, StateNotFound, StateBusy, ContextLengthExceeded, OutOfCapacity, QueueFull,
    TokenMaskError, EngineClosed; the state is as it was then.
    """
    sampling = Sampling(
        temperature, top_p, top_k, min_p, seed,
        repetition_penalty, presence_penalty, frequency_penalty, logit_bias, allowed_tokens,
    )  # fmt: skip
    request = GenerateToken(
        state, max_tokens, min_tokens, sampling, _stops(stop_sequences), ignore_eos,
        probability, top_logprobs, token_mask,
    )  # fmt: skip
    call: Call[TokenResult] = state.engine.submit(request, stream=stream)
    return iter(call) if stream else call.result()


def generate_multi(
    state: State,
    *,
    n: int = 1,
    max_tokens: int = 16,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    min_p: float = 0.0,
    seed: int | None = None,
    repetition_penalty: float = 1.0,
    presence_penalty: float = 0.0,
    frequency_penalty: float = 0.0,
    logit_bias: Mapping[int, float] | None = None,
    allowed_tokens: Sequence[int] | None = None,
    stop_sequences: Sequence[str] | None = None,
    min_tokens: int = 0,
    ignore_eos: bool = False,
    probability: Probability = "model",
    top_logprobs: int = 0,
    token_mask: TokenMask | None = None,
    keep_states: bool = False,
) -> MultiResult:
    """Draws n continuations of a state, which is left as it was. The first is what generate_token with the
    same seed gives, and the i-th does not depend on n. Raises as generate_token does, but for StateBusy."""
    sampling = Sampling(
        temperature, top_p, top_k, min_p, seed,
        repetition_penalty, presence_penalty, frequency_penalty, logit_bias, allowed_tokens,
    )  # fmt: skip
    request = GenerateMulti(
        state, max_tokens, min_tokens, sampling, _stops(stop_sequences), ignore_eos,
        probability, top_logprobs, token_mask, n, keep_states,
    )  # fmt: skip
    return state.engine.submit(request).result()


def beam_search(
    state: State,
    *,
    num_beams: int = 4,
    max_length: int = 16,
    early_stopping: EarlyStopping = False,
    length_penalty: float = 1.0,
    num_return: int | None = None,
    stop_sequences: Sequence[str] | None = None,
    keep_states: bool = False,
) -> BeamResult:
    """Searches the best continuations of up to `max_length` new tokens. The state is left as it was.

    The search is transformers' (docs/design.md §9). Raises as generate_multi does.
    """
    request = BeamSearch(
        state,
        num_beams,
        max_length,
        early_stopping,
        length_penalty,
        num_return,
        _stops(stop_sequences),
        keep_states,
    )
    return state.engine.submit(request).result()

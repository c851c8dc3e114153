"""How a token is drawn: the parameters of the sampler, as a caller states them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .. import defaults
from ..checks import check_int, check_token_ids, is_number, refuse

MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-6, 1e4
MIN_REPETITION, MAX_REPETITION = 0.01, 100
MAX_PENALTY = 100  # of presence, frequency and bias: e^100 outweighs what models say
MAX_BIASES = 1024


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is drawn from a row of logits (docs/design/sampling.md).

    temperature: 0 (greedy) or from 1e-6 to 1e4. top_p: in (0, 1]. top_k: ≥ 0, 0 is off. min_p: in [0, 1].
    seed: in [0, 2⁶⁴), or None to draw one from the operating system when the call starts.
    repetition_penalty: from 0.01 to 100, 1 is off; divides the logit, or multiplies one below 0, of each token that
    the state holds. presence_penalty, frequency_penalty: from −100 to 100, 0 is off; taken from the logit of each
    token that was generated in the state, once, and once for each time.
    logit_bias: token id → what is added to its logit, from −100 to 100; at most 1024 tokens.
    allowed_tokens: the only tokens that may be drawn; an end of text is one of them only if it is listed.
    Raises InvalidRequest that names the field.
    """

    temperature: float = defaults.TEMPERATURE
    top_p: float = defaults.TOP_P
    top_k: int = defaults.TOP_K
    min_p: float = defaults.MIN_P
    seed: int | None = None
    repetition_penalty: float = defaults.REPETITION_PENALTY
    presence_penalty: float = defaults.PRESENCE_PENALTY
    frequency_penalty: float = defaults.FREQUENCY_PENALTY
    logit_bias: Mapping[int, float] | None = field(default=None, hash=False)
    allowed_tokens: Sequence[int] | None = None

    def __post_init__(self) -> None:
        t = self.temperature
        if not is_number(t) or (t != 0 and not MIN_TEMPERATURE <= t <= MAX_TEMPERATURE):
            raise refuse("temperature", "be 0 (greedy) or from 1e-6 to 1e4", t)
        if not is_number(self.top_p) or not 0 < self.top_p <= 1:
            raise refuse("top_p", "be in (0, 1]", self.top_p)
        if not is_number(self.min_p) or not 0 <= self.min_p <= 1:
            raise refuse("min_p", "be in [0, 1]", self.min_p)
        check_int("top_k", self.top_k, 0)
        if self.seed is not None:
            check_int("seed", self.seed, 0, 2**64 - 1)
        repetition = self.repetition_penalty
        if not is_number(repetition) or not MIN_REPETITION <= repetition <= MAX_REPETITION:
            raise refuse("repetition_penalty", f"be from {MIN_REPETITION} to {MAX_REPETITION}", repetition)
        _check_penalty("presence_penalty", self.presence_penalty)
        _check_penalty("frequency_penalty", self.frequency_penalty)
        if self.logit_bias is not None:
            object.__setattr__(self, "logit_bias", _checked_bias(self.logit_bias))
        if self.allowed_tokens is not None:
            allowed = check_token_ids("allowed_tokens", self.allowed_tokens)
            if not allowed:
                raise refuse("allowed_tokens", "hold at least one token id, or be null for all", list(allowed))
            object.__setattr__(self, "allowed_tokens", allowed)

    @property
    def penalises_generated(self) -> bool:
        """Whether a token's having been generated changes its logit."""
        return self.presence_penalty != 0 or self.frequency_penalty != 0

    @property
    def penalises(self) -> bool:
        """Whether a token's having occurred changes its logit."""
        return self.repetition_penalty != 1 or self.penalises_generated


def _check_penalty(param: str, value: object) -> None:
    if not is_number(value) or not -MAX_PENALTY <= value <= MAX_PENALTY:
        raise refuse(param, f"be from -{MAX_PENALTY} to {MAX_PENALTY}", value)


def _checked_bias(bias: object) -> dict[int, float]:
    """A copy, in the order of the ids."""
    name = "logit_bias"
    if not isinstance(bias, Mapping):
        raise refuse(name, "map token ids to numbers", bias)
    if len(bias) > MAX_BIASES:
        raise refuse(name, f"hold at most {MAX_BIASES} tokens", len(bias))
    for token, value in bias.items():
        check_int(f"{name}[{token!r}]", token, 0)
        _check_penalty(f"{name}[{token}]", value)
    return dict(sorted(bias.items()))

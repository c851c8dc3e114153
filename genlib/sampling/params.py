"""Sampling: the parameters of the sampler, as the caller gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .. import defaults
from ..checks import check_int, check_token_ids, is_number, make_plain, plain, refuse, shown

MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-6, 1e4
MIN_REPETITION, MAX_REPETITION = 0.01, 100
MAX_PENALTY = 100  # for presence, frequency and bias: e^100 outweighs any model's logits
MAX_BIASES = 1024


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. Applied in the order allowed_tokens, bias, penalties, temperature, top-k, top-p, min-p.

    temperature: 0 for greedy decoding, or 1e-6 to 1e4. Default 1.
    top_p: draw from the most likely tokens whose probabilities add up to this; 0 < top_p ≤ 1. Default 1 (off).
    top_k: draw from the k most likely tokens; 0 or more. Default 0 (off).
    min_p: drop tokens below this fraction of the top probability; 0 to 1. Default 0 (off).
    seed: 0 to 2⁶⁴ − 1. None (default) draws one from the operating system; the result reports it.
    repetition_penalty: divides the logit of every token in the state (multiplies it if negative); 0.01 to 100. Default
        1 (off).
    presence_penalty: subtracted from the logit of every token generated in the state; −100 to 100. Default 0 (off).
    frequency_penalty: the same, once per occurrence; −100 to 100. Default 0 (off).
    logit_bias: token id → value added to its logit, −100 to 100; at most 1024 tokens. Default None.
    allowed_tokens: the only token ids that may be drawn; end-of-text tokens must be listed to be allowed. None
        (default) allows all.

    Raises InvalidRequest, which names the field. Formulas: docs/design/sampling.md, docs/kernels.md.
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
        make_plain(self)
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
                raise refuse("allowed_tokens", "contain at least one token id, or be null to allow all", list(allowed))
            object.__setattr__(self, "allowed_tokens", allowed)

    @property
    def penalises_generated(self) -> bool:
        """Whether generating a token changes its logit."""
        return self.presence_penalty != 0 or self.frequency_penalty != 0

    @property
    def penalises(self) -> bool:
        """Whether the occurrence of a token, given or generated, changes its logit."""
        return self.repetition_penalty != 1 or self.penalises_generated


def _check_penalty(param: str, value: object) -> None:
    if not is_number(value) or not -MAX_PENALTY <= value <= MAX_PENALTY:
        raise refuse(param, f"be from -{MAX_PENALTY} to {MAX_PENALTY}", value)


def _checked_bias(bias: object) -> dict[int, float]:
    """A copy, sorted by token id. Raises InvalidRequest."""
    name = "logit_bias"
    if not isinstance(bias, Mapping):
        raise refuse(name, "map token ids to numbers", bias)
    if len(bias) > MAX_BIASES:
        raise refuse(name, f"contain at most {MAX_BIASES} tokens", len(bias))
    checked = {plain(token): plain(value) for token, value in bias.items()}
    for token, value in checked.items():
        check_int(f"{name}[{shown(token)}]", token, 0)
        _check_penalty(f"{name}[{shown(token)}]", value)
    return dict(sorted(checked.items()))

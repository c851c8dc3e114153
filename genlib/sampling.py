"""How a token is drawn: the parameters of the sampler, as a caller states them."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import check_int, is_number, refuse

MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-6, 1e4


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is drawn from a row of logits (docs/design.md §8).

    temperature: 0 (greedy) or from 1e-6 to 1e4. top_p: in (0, 1]. top_k: ≥ 0, 0 is off. min_p: in [0, 1].
    seed: in [0, 2⁶⁴), or None to draw one from the operating system when the call starts.
    Raises InvalidRequest that names the field.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int | None = None

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

"""What `sample` answers."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Sampled:
    """S tokens, and what is known of each.

    probability, logprob: under the model: of the unmodified logits, at temperature 1. sampling_probability: under the
    distribution drawn from. num_kept: how many tokens could have been drawn. status: 0 is good; 1: no allowed token has
    a finite value; 2: a value is +inf. Where it is not 0, token is −1. The top_ fields hold the model's N most likely
    tokens, best first, −1 once there are no more finite ones; None unless asked for.
    """

    token: torch.Tensor  # [S] int64
    probability: torch.Tensor  # [S] float32
    logprob: torch.Tensor  # [S] float32
    sampling_probability: torch.Tensor  # [S] float32
    num_kept: torch.Tensor  # [S] int32
    status: torch.Tensor  # [S] int32
    top_tokens: torch.Tensor | None  # [S, N] int64
    top_probabilities: torch.Tensor | None  # [S, N] float32
    top_logprobs: torch.Tensor | None  # [S, N] float32


DTYPES = {
    "token": torch.int64,
    "probability": torch.float32,
    "logprob": torch.float32,
    "sampling_probability": torch.float32,
    "num_kept": torch.int32,
    "status": torch.int32,
    "top_tokens": torch.int64,
    "top_probabilities": torch.float32,
    "top_logprobs": torch.float32,
}


def new_sampled(rows: int, top_logprobs: int, device: torch.device | str) -> Sampled:
    """Uninitialised buffers for S rows, as `sample(out=…)` takes them."""

    def empty(name: str) -> torch.Tensor | None:
        if not name.startswith("top_"):
            return torch.empty(rows, dtype=DTYPES[name], device=device)
        return torch.empty((rows, top_logprobs), dtype=DTYPES[name], device=device) if top_logprobs else None

    return Sampled(**{name: empty(name) for name in DTYPES})

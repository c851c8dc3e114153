"""What is measured side by side: every contestant draws from the same logits."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .cells import Cell

# Tokens [S], and each one's probability under the distribution drawn from (greedy: under the model), or None for one
# that does not tell.
Result = tuple[torch.Tensor, torch.Tensor | None]
Draw = Callable[[torch.Tensor], Result]
Times = dict[str, list[float]]  # microseconds per call, by mode


@dataclass(frozen=True, slots=True)
class Contestant:
    """name; the package that must be there; prepare(cell, device): how it draws, None for a setting it has not.

    captures: whether a CUDA graph can hold it, which one that waits for the host cannot.
    """

    name: str
    package: str
    prepare: Callable[[Cell, str], Draw | None]
    captures: bool = True

    @property
    def is_there(self) -> bool:
        return importlib.util.find_spec(self.package) is not None

"""What must be right before anything is timed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from genlib.kernels import sample

from genlib.ops import reference_sampling as reference
from genlib.ops.buffers import SamplerOutput

from .cells import Cell
from .contestant import Contestant, Draw
from .own import arguments_of, params_of

CHECKED = 4  # rows that are compared with the reference, which takes long


class WrongResultError(Exception):
    """A contestant gives what it must not give: its time means nothing."""


class Gate:
    """What is known of a cell's first rows: the reference's answers, and its distribution in float64."""

    def __init__(self, cell: Cell, logits: torch.Tensor) -> None:
        self._cell, self._logits = cell, logits
        self._rows = logits[:CHECKED].float().cpu().numpy()
        R, N = len(self._rows), cell.setting.top_n
        ints, floats = (lambda *shape: np.zeros(shape, np.int32)), (lambda *shape: np.zeros(shape, np.float32))
        self.expected = SamplerOutput(
            ints(R), floats(R), floats(R), floats(R), ints(R), ints(R), ints(R, N), floats(R, N), floats(R, N)
        )
        self._params = params_of(cell)
        reference.sample(self._rows, self._params, R, self.expected)

    def check(self, contestant: Contestant, draw: Draw) -> None:
        """Raises WrongResultError."""
        token, probability = draw(self._logits)
        tokens = token.cpu().numpy().astype(np.int64)
        chances = None if probability is None else probability.cpu().numpy()
        if contestant.package == "genlib":
            self._check_own(contestant.name, tokens)
        else:
            self._check_peer(contestant.name, tokens[:CHECKED], None if chances is None else chances[:CHECKED])

    def _check_own(self, name: str, tokens: Any) -> None:
        """Bit for bit: the first rows as the reference has them, all rows as the C++ sampler has them."""
        rows = self._logits.cpu()
        every = sample(rows, **arguments_of(self._cell, "cpu")).token.numpy()
        wrong = np.flatnonzero(tokens != every)
        first = np.flatnonzero(tokens[:CHECKED] != self.expected.token)
        if len(wrong) or len(first):
            raise WrongResultError(f"{name} draws other tokens in rows {[*first, *wrong][:5]} of {self._cell.name}")

    def _check_peer(self, name: str, tokens: Any, chances: Any) -> None:
        """It cannot draw the same tokens, but must draw one of those kept, and tell its probability.

        Of tokens as likely as the last one that a cut keeps, a peer may keep more: bfloat16 has many such ties.
        """
        greedy = self._cell.setting.temperature == 0
        for r, token in enumerate(tokens):
            z = reference.processed(self._rows[r], reference.row_of(self._params, r, self._cell.V))
            x = z.astype(np.float64) / (self._cell.setting.temperature or 1)
            kept = np.argsort(-x, kind="stable")[: self.expected.num_kept[r]]
            least = x[kept[-1]]
            top_k = self._cell.setting.top_k
            last = -np.partition(-x, top_k - 1)[top_k - 1] if top_k else least
            # Which of the tokens at a cut's edge are kept depends on how a peer rounds its sums, and on those ties.
            if not x[token] >= (least if greedy else last - 1e-3 * (1 + abs(last))):
                raise WrongResultError(f"{name} draws token {token} of {self._cell.name}, which is not kept")
            fewest, most = (x, x) if greedy else (x[kept], x[x >= last])
            high, low = (np.exp(x[token] - x.max()) / np.exp(among - x.max()).sum() for among in (fewest, most))
            if chances is not None and not 0.99 * low <= chances[r] <= 1.01 * high:
                raise WrongResultError(f"{name} says {chances[r]} of {self._cell.name}, and it is {high}")

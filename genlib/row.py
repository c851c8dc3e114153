"""The sampler's parameters of one sequence, and the buffers of all rows that they are written to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ops.base import RowParams
from .ops.rows import row_min_p, row_scale, row_top_p
from .sampling import Sampling

MASK_NONE, MASK_NO_EOS = -1, 0


@dataclass(frozen=True, slots=True)
class Row:
    """As RowParams has them."""

    scale: np.float32
    top_k: int
    top_p: np.uint32
    min_p: np.float32
    seed: int
    stream: int
    mask: int

    @classmethod
    def of(cls, sampling: Sampling, seed: int, stream: int, *, eos_banned: bool) -> Row:
        """From what the caller asked for."""
        return cls(
            scale=row_scale(sampling.temperature),
            top_k=min(sampling.top_k, 2**31 - 1),
            top_p=row_top_p(sampling.top_p),
            min_p=row_min_p(sampling.min_p),
            seed=seed,
            stream=stream,
            mask=MASK_NO_EOS if eos_banned else MASK_NONE,
        )

    def write(self, params: RowParams, i: int) -> None:
        """Into row i, which is to be drawn."""
        params.scale[i] = self.scale
        params.top_k[i] = self.top_k
        params.top_p[i] = self.top_p
        params.min_p[i] = self.min_p
        params.seed[i] = self.seed
        params.stream[i] = self.stream
        params.mask[i] = self.mask
        params.forced[i] = -1


GREEDY = Row(row_scale(0), 0, row_top_p(1), row_min_p(0), 0, 0, MASK_NONE)


def new_params(max_rows: int, vocabulary: int, eos_ids: frozenset[int]) -> RowParams:
    """Buffers for so many rows. Row MASK_NO_EOS of the masks bans the ends of text."""
    masks = np.full((1, -(-vocabulary // 32)), 0xFFFFFFFF, np.uint32)
    for eos in eos_ids:
        masks[MASK_NO_EOS, eos // 32] &= np.uint32(0xFFFFFFFF ^ (1 << eos % 32))
    return RowParams(
        scale=np.zeros(max_rows, np.float32),
        top_k=np.zeros(max_rows, np.int32),
        top_p=np.zeros(max_rows, np.uint32),
        min_p=np.zeros(max_rows, np.float32),
        seed=np.zeros(max_rows, np.uint64),
        stream=np.zeros(max_rows, np.uint64),
        position=np.zeros(max_rows, np.int64),
        mask=np.zeros(max_rows, np.int32),
        forced=np.zeros(max_rows, np.int32),
        top_n=np.zeros(max_rows, np.int32),
        repetition=np.ones(max_rows, np.float32),
        presence=np.zeros(max_rows, np.float32),
        frequency=np.zeros(max_rows, np.float32),
        edit_start=np.zeros(max_rows, np.int64),
        edit_count=np.zeros(max_rows, np.int32),
        masks=masks,
        edit_token=np.zeros(0, np.int32),
        edit_bias=np.zeros(0, np.float32),
        edit_seen=np.zeros(0, np.int32),
    )

"""The sampler parameters of one sequence, and the buffers of all rows into which they are written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ops.arrays import Int32
from ..ops.buffers import RowParams
from ..ops.rows import row_min_p, row_scale, row_top_p
from .masks import VocabularyMasks
from .params import MAX_BIASES, Sampling

MASK_NONE, MASK_NO_EOS = -1, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowConstants:
    """The parameters of a sequence that do not change from token to token, in the format of RowParams."""

    scale: np.float32
    top_p: np.uint32
    min_p: np.float32
    top_k: int = 0
    seed: int = 0
    stream: int = 0
    top_n: int = 0
    repetition: float = 1.0
    presence: float = 0.0
    frequency: float = 0.0

    @classmethod
    def of(cls, sampling: Sampling, seed: int, stream: int, top_n: int) -> RowConstants:
        """From the caller's parameters. top_n: how many of the most likely tokens to report."""
        return cls(
            scale=row_scale(sampling.temperature),
            top_k=min(sampling.top_k, 2**31 - 1),
            top_p=row_top_p(sampling.top_p),
            min_p=row_min_p(sampling.min_p),
            seed=seed,
            stream=stream,
            top_n=top_n,
            repetition=sampling.repetition_penalty,
            presence=sampling.presence_penalty,
            frequency=sampling.frequency_penalty,
        )

    def write(self, params: RowParams, i: int) -> None:
        """Writes the parameters of row i: a row to be sampled, without mask or edits."""
        params.scale[i] = self.scale
        params.top_k[i] = self.top_k
        params.top_p[i] = self.top_p
        params.min_p[i] = self.min_p
        params.seed[i] = self.seed
        params.stream[i] = self.stream
        params.top_n[i] = self.top_n
        params.repetition[i] = self.repetition
        params.presence[i] = self.presence
        params.frequency[i] = self.frequency
        params.mask[i] = MASK_NONE
        params.forced[i] = -1
        params.edit_count[i] = 0


GREEDY = RowConstants(scale=row_scale(0), top_p=row_top_p(1), min_p=row_min_p(0))


class RowBuffers:
    """RowParams for `max_rows` rows, with as many slots: each has a row of `masks` and a region of the edits.

    Memory is touched only when a row first uses it. max_tokens: maximum length of a sequence.
    """

    def __init__(self, max_rows: int, max_tokens: int, masks: VocabularyMasks) -> None:
        # The most entries a sequence can have: its own tokens and those with a bias, each token once.
        self._region = min(max_tokens + MAX_BIASES, masks.vocabulary)
        self._block = np.zeros((3, max_rows * self._region), np.int32)
        words = np.zeros((1 + max_rows, len(masks.every)), np.uint32)
        words[MASK_NO_EOS] = masks.no_eos
        self.params = RowParams(
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
            masks=words,
            edit_token=self._block[0],
            edit_bias=self._block[1].view(np.float32),
            edit_seen=self._block[2],
        )

    @staticmethod
    def mask_row(slot: int) -> int:
        """The row of `masks` of a slot."""
        return 1 + slot

    def first_edit(self, slot: int) -> int:
        """The index of the first entry of a slot's edits."""
        return slot * self._region

    def edits(self, slot: int) -> Int32:
        """The edits of a slot, [3, maximum number of entries]."""
        first = self.first_edit(slot)
        return self._block[:, first : first + self._region]

"""The tokens of a sequence that a bias or a penalty touches, as the sampler has them (RowParams, `edit_`).

Three arrays that are rows of one block, so that one copy moves all of them: ids, biases (the bits of float32), and
how often each occurred.
"""

from __future__ import annotations

import numpy as np

from ..ops.arrays import Int32
from ..states.record import Record
from .params import Sampling


def first_edits(sampling: Sampling, record: Record) -> Int32 | None:
    """The edits of a state before a call: [3, n], ids ascending. None if nothing is ever edited.

    Of tokens that were not generated there are entries only if a repetition penalty, which alone counts them, is on.
    """
    bias = sampling.logit_bias or {}
    if not bias and not sampling.penalises:
        return None
    tokens = np.array(record.tokens if sampling.penalises else [], np.int32)
    spans = [tokens[start:end] for start, end in record.generated_spans()]
    generated, times = np.unique(np.concatenate(spans) if spans else tokens[:0], return_counts=True)
    biased = np.array(list(bias), np.int32)
    given = tokens if sampling.repetition_penalty != 1 else tokens[:0]
    ids = np.unique(np.concatenate([given, generated, biased]))
    edits = np.zeros((3, len(ids)), np.int32)
    edits[0] = ids
    edits[1].view(np.float32)[np.searchsorted(ids, biased)] = list(bias.values())
    edits[2] = -1
    edits[2][np.searchsorted(ids, given)] = 0
    edits[2][np.searchsorted(ids, generated)] = times
    return edits


class RowEdits:
    """The edits of a sequence that runs, in a region of the batch's buffers that nobody else writes to."""

    __slots__ = ("_block", "size")

    def __init__(self, first: Int32, region: Int32) -> None:
        """first: see first_edits. region [3, most entries]."""
        self.size = first.shape[1]
        self._block = region
        region[:, : self.size] = first

    def count(self, token: np.int32) -> None:
        """One more token was generated."""
        block, size = self._block, self.size
        ids = block[0, :size]
        i = int(ids.searchsorted(token))
        if i < size and ids[i] == token:
            block[2, i] = max(int(block[2, i]), 0) + 1
            return
        block[:, i + 1 : size + 1] = block[:, i:size]
        block[:, i] = (token, 0, 1)
        self.size = size + 1

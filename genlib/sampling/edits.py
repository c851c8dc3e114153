"""The tokens of a sequence that a bias or penalty applies to, as the sampler reads them (RowParams, `edit_`).

Three arrays as the rows of one int32 block, so that one copy moves all of them: token ids, biases (float32 bits), and
how often each token has occurred.
"""

from __future__ import annotations

import numpy as np

from ..ops.arrays import Int32
from ..states.record import Record
from .params import Sampling


def first_edits(sampling: Sampling, record: Record) -> Int32 | None:
    """The edits of a state before a call: [3, n], ids ascending. None if no bias or penalty is set.

    Tokens that were not generated have entries only with a repetition penalty, the only one that counts them.
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
    """The edits of a running sequence, in its own region of the batch's buffers."""

    __slots__ = ("_block", "size")

    def __init__(self, first: Int32, region: Int32) -> None:
        """first: as returned by first_edits. region: [3, maximum number of entries]."""
        self.size = first.shape[1]
        self._block = region
        region[:, : self.size] = first

    def count(self, token: np.int32) -> None:
        """Counts a generated token."""
        block, size = self._block, self.size
        ids = block[0, :size]
        i = int(ids.searchsorted(token))
        if i < size and ids[i] == token:
            block[2, i] = max(int(block[2, i]), 0) + 1
            return
        block[:, i + 1 : size + 1] = block[:, i:size]
        block[:, i] = (token, 0, 1)
        self.size = size + 1

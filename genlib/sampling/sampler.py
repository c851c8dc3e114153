"""The sampler of each sequence: its row parameters, its mask and its edits, updated with every token."""

from __future__ import annotations

import numpy as np

from ..ops.arrays import Int32
from ..states.record import Record
from .edits import RowEdits, first_edits
from .masks import RowMask, TokenMask, VocabularyMasks
from .params import Sampling
from .row import MASK_NO_EOS, RowBuffers, RowConstants


class SequenceSampler:
    """How the next token of one sequence is drawn.

    slot: the index of its mask and of its region of the edits; -1 until the batch assigns one with its first row. It
    then stays. Only a sampler that `needs_slot` gets one.
    """

    __slots__ = ("_counts", "_edits", "_eos_banned", "_first_edits", "_fresh", "_mask", "_row", "asks", "slot")

    def __init__(
        self, row: RowConstants, edits: Int32 | None, mask: RowMask | None, *, counts: bool, eos_banned: bool
    ) -> None:
        """edits: as returned by first_edits. counts: whether new tokens change them."""
        self._row = row
        self._first_edits = edits
        self._counts = counts
        self._edits: RowEdits | None = None
        self._fresh = False  # whether its edits already count the sequence's last token
        self._mask = mask
        self.asks = mask is not None and mask.asks  # whether the caller's mask decides before each token
        self._eos_banned = eos_banned
        self.slot = -1

    @property
    def top_n(self) -> int:
        """How many of the most likely tokens to report."""
        return self._row.top_n

    @property
    def needs_slot(self) -> bool:
        """Whether it has a mask or edits."""
        return self._mask is not None or self._first_edits is not None

    @property
    def moves(self) -> bool:
        """Whether it changes with every token."""
        return self._counts or self.asks

    def advance(self, token: int, *, ended: bool, eos_banned: bool) -> None:
        """Called by its job after a token was drawn. ended: whether it was the last one. Raises TokenMaskError."""
        self._eos_banned = eos_banned
        if self._mask is not None:
            self._mask.accept(token)
            if not ended:
                self._mask.refresh(eos_banned=eos_banned)

    def write(self, buffers: RowBuffers, i: int) -> None:
        """Called by the batch: writes everything into row i. The slot must be assigned if it needs one."""
        params, slot = buffers.params, self.slot
        self._row.write(params, i)
        if self._eos_banned:
            params.mask[i] = MASK_NO_EOS
        if self._mask is not None:
            params.mask[i] = buffers.mask_row(slot)
            params.masks[buffers.mask_row(slot)] = self._mask.words
        if self._first_edits is not None:
            if self._edits is None:
                self._edits, self._fresh = RowEdits(self._first_edits, buffers.edits(slot)), True
            params.edit_start[i] = buffers.first_edit(slot)
            params.edit_count[i] = self._edits.size

    def move(self, buffers: RowBuffers, i: int, token: np.int32) -> None:
        """Called by the batch in every step: writes only what has changed. token: the last of the sequence."""
        params = buffers.params
        if self._mask is not None and self._mask.asks:
            params.masks[buffers.mask_row(self.slot)] = self._mask.words
        if self._edits is not None and self._counts:
            if not self._fresh:
                self._edits.count(token)
                params.edit_count[i] = self._edits.size
            self._fresh = False


class CallSampler:
    """Creates the samplers of the sequences of one call, and computes what they share once."""

    def __init__(self, sampling: Sampling, *, seed: int, top_n: int, record: Record, masks: VocabularyMasks) -> None:
        """top_n: how many of the most likely tokens to report. record: the state that the call is made on."""
        self._sampling = sampling
        self._seed = seed
        self._top_n = top_n
        self._masks = masks
        self._edits = first_edits(sampling, record)
        self._allowed = None if sampling.allowed_tokens is None else masks.of(sampling.allowed_tokens)

    def sequence(self, random_stream: int, token_mask: TokenMask | None, *, eos_banned: bool) -> SequenceSampler:
        """The sampler of a sequence with its own `random_stream` and `token_mask`. Raises TokenMaskError."""
        mask = None
        if self._allowed is not None or token_mask is not None:
            mask = RowMask(self._masks, self._allowed, token_mask)
            mask.refresh(eos_banned=eos_banned)
        row = RowConstants.of(self._sampling, self._seed, random_stream, self._top_n)
        return SequenceSampler(row, self._edits, mask, counts=self._sampling.penalises, eos_banned=eos_banned)

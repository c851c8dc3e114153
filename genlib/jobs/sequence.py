"""One row being generated, and what it needs from a step. Plain Python, as the scheduler is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..sampling.sampler import SequenceSampler
    from .base import Job


class Wants(Enum):
    """What a sequence wants from the logits of its last token."""

    NOTHING = 0  # only keys and values: the base of continuations or beams
    TOKEN = 1  # the next token
    SCORES = 2  # the log-probabilities of known tokens
    BEAMS = 3  # the next tokens of its search; all beams of a search step together


@dataclass(slots=True, eq=False)
class Sequence:
    """One row being generated. entry: its handle in the state table, owned by `job`.

    The entry has `length` tokens; keys and values of the first `computed` are in its pages.
    """

    job: Job
    entry: int
    length: int
    computed: int
    wants: Wants
    index: int = 0  # which continuation or beam
    sampler: SequenceSampler | None = None  # TOKEN: how the next token is drawn
    sampler_changed: bool = True  # set by code that changes what the batch has written from it
    slot: int = -1  # BEAMS: the search's slot in the beam step's buffers
    known: tuple[int, ...] = ()  # SCORES: the tokens
    logits_from: int = 0  # SCORES: the first position whose logits are needed

    @property
    def pending(self) -> int:
        """Number of tokens not fed yet."""
        return self.length - self.computed

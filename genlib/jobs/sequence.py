"""One row being generated, and what it wants of a step. Plain Python, so that the scheduler is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..sampling.sampler import SequenceSampler
    from .base import Job


class Wants(Enum):
    """What a sequence wants of the logits behind its last token."""

    NOTHING = 0  # only keys and values: the base that n continuations or beams start from
    TOKEN = 1  # the next token
    SCORES = 2  # the log-probabilities of tokens that are known
    BEAMS = 3  # what its search goes on with; all beams of a search step together


@dataclass(slots=True, eq=False)
class Sequence:
    """One row being generated. `entry` is its handle in the state table, owned by `job`.

    The entry holds `length` tokens; keys and values of the first `computed` are in its pages.
    """

    job: Job
    entry: int
    length: int
    computed: int
    wants: Wants
    index: int = 0  # which continuation or beam
    sampler: SequenceSampler | None = None  # TOKEN: how the next one is drawn
    sampler_changed: bool = True  # set by whoever changes what the batch has written of it
    slot: int = -1  # BEAMS: where the beam step has the search
    known: tuple[int, ...] = ()  # SCORES: the tokens
    logits_from: int = 0  # SCORES: the first position whose logits are wanted

    @property
    def pending(self) -> int:
        """Tokens not fed yet."""
        return self.length - self.computed

"""Job: a running call, with its sequences, and what it does with the results of each step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from ..calls.channel import Answer, Channel
from ..sampling.masks import VocabularyMasks
from ..sampling.token import SampledToken
from ..states.cache import Cache
from ..states.state import State
from ..states.store import Store
from ..text.tokenizer import Tokenizer
from .search_slots import SearchSlots
from .sequence import Sequence, Wants


class Runner(Protocol):
    """The engine, as a job sees it."""

    def replace(self, gone: Sequence, new: list[Sequence]) -> None:
        """Replaces a running sequence by others of its job."""

    def should_yield(self, job: Job) -> bool:
        """Whether the row of a sequence that has ended should go to other calls, though there are more to begin."""

    def generated(self, job: Job) -> None:
        """All tokens of a call that is held have been drawn; it ends when its consumer asks for that, or leaves."""

    def finish(self, job: Job, answer: Answer) -> None:
        """Ends a job with what makes the result of its call."""


@dataclass(frozen=True, slots=True)
class Resources:
    """The parts of an engine that jobs use."""

    runner: Runner
    cache: Cache
    store: Store
    searches: SearchSlots
    tokenizer: Tokenizer
    eos_ids: frozenset[int]
    masks: VocabularyMasks
    max_batch: int
    context_length: int


class Job(ABC):
    """A running call. It owns the entries of its sequences, and frees each one or hands it over.

    width: rows of the batch that it has, one for each sequence; given by the scheduler, no fewer than `least` at its
    start, and no more than `most`. record: a copy of the state's at the time of the call. ended: see OpenCalls.

    Methods are called with the engine's lock held: `claim`, `settle` and `abandon` by any thread, even while a step
    uses what the job holds; the others by the engine's thread, between steps.
    """

    width = least = most = 1

    def __init__(self, use: Resources, channel: Channel, state: State) -> None:
        """Raises StateNotFound."""
        self.use = use
        self.table = use.cache.table
        self.channel = channel
        self.state = state
        self.record = use.store.read(state).copy()
        self.ended = False
        self._entries: set[int] = set()

    # Its life cycle.

    @abstractmethod
    def pages_needed(self) -> int:
        """The maximum number of pages that it can hold at a time."""

    def claim(self) -> None:  # noqa: B027 (optional: most jobs only read)
        """Locks the state if the job writes to it. Raises StateBusy."""

    @abstractmethod
    def answer_ended(self) -> Answer:
        """For a state that an end of text has ended: no tokens."""

    @abstractmethod
    def start(self) -> list[Sequence] | None:
        """Reserves all pages that it can need and returns its first sequences; None if there are too few pages now."""

    @property
    def more(self) -> int:
        """How many sequences are left to begin, each of which could use a row."""
        return 0

    def grow(self) -> list[Sequence]:
        """Begins one of them; none if there are too few pages, or it cannot begin yet."""
        return []

    def settle(self, taken: int | None) -> Answer:
        """Commits all tokens, or those of the first `taken` pieces of a stream. The answer is what was committed."""
        raise NotImplementedError("only generate_token streams")

    def abandon(self) -> None:  # noqa: B027 (optional: most jobs only read)
        """Unlocks the state, which is unchanged."""

    def release(self) -> None:
        """Frees everything that its sequences hold. Called once, last."""
        for entry in self._entries:
            self.table.free(entry)
        self._entries.clear()

    # Results of a step. A job implements those that its sequences want.

    def on_prefilled(self, seq: Sequence) -> None:
        """NOTHING: all keys and values of a sequence are computed."""
        raise NotImplementedError

    def on_token(self, seq: Sequence, token: SampledToken) -> None:
        """TOKEN: the next token of a sequence was drawn, and is in its entry already."""
        raise NotImplementedError

    def on_scores(self, seq: Sequence, scored: list[SampledToken]) -> None:
        """SCORES: the next known tokens of a sequence, with their probabilities."""
        raise NotImplementedError

    def on_beams(self) -> None:
        """BEAMS: the beam step has chosen the next tokens of the beams."""
        raise NotImplementedError

    # For subclasses.

    def _open(self, num_tokens: int, more: int) -> int | None:
        entry = self.use.cache.open(self.state.id, self.record, num_tokens, more)
        if entry is not None:
            self._entries.add(entry)
        return entry

    def _free(self, entry: int) -> None:
        self._entries.remove(entry)
        self.table.free(entry)

    def _sequence(self, entry: int, wants: Wants, index: int = 0) -> Sequence:
        return Sequence(self, entry, self.table.length(entry), self.table.computed(entry), wants, index)

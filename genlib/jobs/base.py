"""A call on its way: the sequences that it runs, and what it does with what each step gives for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

from ..calls.call import Call
from ..calls.results import Result
from ..sampling.masks import VocabularyMasks
from ..sampling.token import SampledToken
from ..states.cache import Cache
from ..states.state import State
from ..states.store import Store
from ..text.tokenizer import Tokenizer
from .search_slots import SearchSlots
from .sequence import Sequence, Wants


class Runner(Protocol):
    """Who steps the sequences of jobs: the engine's loop."""

    def replace(self, gone: Sequence, new: list[Sequence]) -> None:
        """Takes a sequence out of the steps to come, and puts others of its job in."""

    def finish(self, job: Job, result: Result) -> None:
        """The job has ended well, with what its call answers."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What jobs use of their engine."""

    runner: Runner
    cache: Cache
    store: Store
    searches: SearchSlots
    tokenizer: Tokenizer
    eos_ids: frozenset[int]
    masks: VocabularyMasks
    max_batch: int


class Job(ABC):
    """A call on its way. It owns the entries of its sequences, and frees or hands over each one.

    width: most sequences that it runs at a time. record: the state's at the time of the call.

    The engine's thread calls its methods, with the engine's lock held; but a stream's consumer, too, calls `settle`,
    with the lock.
    """

    width = 1

    def __init__(self, use: Resources, call: Call[Any], state: State) -> None:
        """Raises StateNotFound."""
        self.use = use
        self.table = use.cache.table
        self.call = call
        self.state = state
        self.record = use.store.read(state).copy()
        self.cancelled = False
        self._entries: set[int] = set()

    # Of its life.

    @abstractmethod
    def pages_needed(self) -> int:
        """Most pages that it can hold at a time."""

    def claim(self) -> None:  # noqa: B027 (most jobs only read)
        """Makes it the state's writer, if it is one. Raises StateBusy."""

    @abstractmethod
    def answer_ended(self) -> None:
        """Answers at once for a state that an end of text has ended: with no tokens."""

    @abstractmethod
    def start(self) -> list[Sequence] | None:
        """Its first sequences, with all pages that it can need promised; or None: no pages now, try later."""

    def settle(self, taken: int | None) -> Result:
        """Of a stream: commits its tokens, or only those of the first `taken` pieces. Returns what was committed."""
        raise NotImplementedError("only generate_token streams")

    def release(self) -> None:
        """Gives back all it holds; the state is as it was."""
        for entry in self._entries:
            self.table.free(entry)
        self._entries.clear()

    # What a step gives. Each job has those that its sequences want.

    def on_prefilled(self, seq: Sequence) -> None:
        """NOTHING: a sequence has all its keys and values."""
        raise NotImplementedError

    def on_token(self, seq: Sequence, token: SampledToken) -> None:
        """TOKEN: a sequence has its next token, which its entry holds already."""
        raise NotImplementedError

    def on_scores(self, logprobs: list[float]) -> None:
        """SCORES: the log-probabilities of its sequence's next known tokens."""
        raise NotImplementedError

    def on_beams(self) -> None:
        """BEAMS: the beam step has chosen what the beams go on with."""
        raise NotImplementedError

    # For the jobs themselves.

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

"""Calls on their way: which sequences each runs, and what it does with what the steps give.

Every method is called by the engine's thread with the engine's lock held, but for `settle`, which a stream's
consumer calls, with the lock too. A job owns the entries of its sequences, and frees or hands over each one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..calls.call import Call
from ..calls.requests import GenerateToken, Score
from ..calls.results import ScoreResult, TokenResult
from ..engine.scheduler import Sequence, Wants
from ..sampling.drawing import Drawings
from ..states.cache import as_int32, pages_for
from .continuation import Continuation

if TYPE_CHECKING:
    from ..engine.batch import Draw
    from ..engine.engine import Engine
    from ..states.state import State


class BaseJob:
    """What all jobs share; which of the methods of scheduler.Job a job has, its sequences' `wants` say.

    `record` is the state's at the time of the call.
    """

    width = 1

    @property
    def slot(self) -> int:
        """Of a beam search: where the beam step has it."""
        raise NotImplementedError

    def __init__(self, engine: Engine, call: Call[Any], state: State) -> None:
        self.engine = engine
        self.cache = engine.cache
        self.table = engine.cache.table
        self.call = call
        self.state = state
        self.record = engine.store.read(state).copy()
        self.cancelled = False
        self._entries: set[int] = set()

    def pages_needed(self) -> int:
        """Most pages that it can hold at a time."""
        raise NotImplementedError

    def answer_ended(self) -> None:
        """Answers at once for a state that an end of text has ended: with no tokens."""
        raise NotImplementedError

    def start(self) -> list[Sequence] | None:
        raise NotImplementedError

    def computed(self, seq: Sequence) -> None:
        raise NotImplementedError

    def drawn(self, seq: Sequence, draw: Draw) -> None:
        raise NotImplementedError

    def scored(self, _seq: Sequence, logprobs: list[float]) -> None:
        raise NotImplementedError

    def expanded(self) -> None:
        raise NotImplementedError

    def release(self) -> None:
        for entry in self._entries:
            self.table.free(entry)
        self._entries.clear()

    def _open(self, num_tokens: int, more: int) -> int | None:
        entry = self.cache.open(self.state, self.record, num_tokens, more)
        if entry is not None:
            self._entries.add(entry)
        return entry

    def _free(self, entry: int) -> None:
        self._entries.remove(entry)
        self.table.free(entry)

    def _sequence(self, entry: int, wants: Wants, row: object = None, index: int = 0) -> Sequence:
        length, computed = self.table.length(entry), self.table.computed(entry)
        return Sequence(self, entry, length, computed, wants, row, index=index)


class TokenJob(BaseJob):
    """generate_token: one sequence, which becomes the state's at the end."""

    def __init__(self, engine: Engine, call: Call[Any], request: GenerateToken, seed: int) -> None:
        super().__init__(engine, call, request.state)
        self.request = request
        self.drawings = Drawings(request, self.record, engine.masks, seed)
        self.continuation = Continuation(request, self.record, engine.tokenizer, engine.eos_ids, seed)
        self._entry: int | None = None

    def pages_needed(self) -> int:
        return pages_for(len(self.record.tokens) + self.request.max_tokens) + 1

    def start(self) -> list[Sequence] | None:
        self._entry = self._open(len(self.record.tokens), self.request.max_tokens)
        if self._entry is None:
            return None
        drawing = self.drawings.make(self.continuation, self.record.stream, self.request.token_mask)
        return [self._sequence(self._entry, Wants.DRAW, drawing)]

    def drawn(self, seq: Sequence, draw: Draw) -> None:
        c = self.continuation
        self.drawings.accept(c, seq, draw)
        if self.call.streams:
            piece = c.piece(self.state.id)
            if piece is not None:
                self.call.push(piece)
        if c.ended:
            if not self.call.streams:
                self.settle(None)
            self.engine.loop.finish(self, self.result())

    def answer_ended(self) -> None:
        self.call.finish(self.result())

    def result(self) -> TokenResult:
        """What the call answers so far."""
        return self.continuation.result(self.state.id)

    def settle(self, taken: int | None) -> None:
        """Commits the tokens, or only those of the first `taken` pieces of a stream."""
        c = self.continuation
        if taken is not None:
            c.keep(taken)
        entry = self._entry
        if entry is not None:
            self._entries.discard(entry)
            num_tokens = len(self.record.tokens) + len(c.token_ids)
            self.table.truncate(entry, min(self.table.length(entry), num_tokens))
        self.engine.store.commit(self.state, c, entry, self.call)
        self._entry = None

    def release(self) -> None:
        super().release()
        self.engine.store.unlock(self.state, self.call)


class ScoreJob(BaseJob):
    """score: the tokens of a text, all known, one row of logits each."""

    def __init__(self, engine: Engine, call: Call[Any], request: Score) -> None:
        super().__init__(engine, call, request.state)
        self.token_ids = request.token_ids
        self._logprobs: list[float] = []

    def _num_tokens(self) -> int:
        return len(self.record.tokens) + len(self.token_ids)

    def pages_needed(self) -> int:
        return pages_for(self._num_tokens()) + 1

    def start(self) -> list[Sequence] | None:
        known = len(self.record.tokens)
        entry = self._open(known, len(self.token_ids))
        if entry is None:
            return None
        self.table.append(entry, as_int32(self.token_ids[:-1]))
        seq = self._sequence(entry, Wants.SCORE, self.token_ids)
        seq.logits_from = known - 1
        return [seq]

    def scored(self, _seq: Sequence, logprobs: list[float]) -> None:
        self._logprobs += logprobs
        if len(self._logprobs) == len(self.token_ids):
            self.release()
            total = sum(self._logprobs)
            self.engine.loop.finish(self, ScoreResult(self.state.id, self.token_ids, tuple(self._logprobs), total))

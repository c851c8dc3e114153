"""beam_search as a job: a fork of the base for each beam, its pages shared with its parent's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._native import PAGE_SIZE
from .beam import BeamSearcher, Hypothesis, Rules
from .cache import as_int32, pages_for
from .call import Call
from .multi_job import FromBase
from .requests import BeamSearch
from .results import BeamResult
from .scheduler import Sequence, Wants
from .text import StopMatcher, Utf8Decoder

if TYPE_CHECKING:
    from .engine import Engine
    from .ops.base import Float32


class BeamJob(FromBase):
    """K beams that step together. The state is left as it was."""

    def __init__(self, engine: Engine, call: Call[Any], request: BeamSearch) -> None:
        super().__init__(engine, call, request.state)
        self.request = request
        self.width = request.num_beams
        stops = self.record.stop_sequences if request.stop_sequences is None else request.stop_sequences
        self._stops = stops
        self._tail_size = max((len(s.encode()) for s in stops), default=0)
        rules = Rules(
            request.num_beams,
            request.max_length,
            request.early_stopping,
            request.length_penalty,
            engine.eos_ids,
            self._extend_tail,
        )
        tail = self.record.unmatched_tail(engine.tokenizer, self._tail_size) if stops else b""
        self.search = BeamSearcher(rules, tail)
        self._beams: list[Sequence] = []
        self._kept: dict[int, int] = {}  # id of a finished hypothesis → its entry

    def _extend_tail(self, tail: bytes, token: int) -> tuple[bytes, int | None]:
        if not self._stops:
            return b"", None
        piece = self.engine.tokenizer.token_bytes(token)
        matcher = StopMatcher(self._stops, tail)
        stopped = matcher.feed(piece) is not None
        return (tail + piece)[-self._tail_size :], matcher.match_end if stopped else None

    def _ticket_pages(self, tokens_left: int) -> int:
        """Pages that the beams can still need: each its tokens', two partly filled ones, and, where the winners
        become states, as much for the pool."""
        each = pages_for(tokens_left + PAGE_SIZE) + 1
        return self.request.num_beams * each * (2 if self.request.keep_states else 1)

    def pages_needed(self) -> int:
        beams = self._ticket_pages(self.request.max_length + 4 * PAGE_SIZE)
        return pages_for(len(self.record.tokens)) + beams

    def start(self) -> list[Sequence] | None:
        base = self._open_base()
        if base is None:
            return None
        pages = self._ticket_pages(self.request.max_length + 4 * PAGE_SIZE)
        ticket = self._ticket(pages * PAGE_SIZE)
        if ticket is None:
            self.release()
            return None
        self._pages_ticket = ticket
        return self._start_base(base)

    def _spread(self) -> list[Sequence]:
        self.table.unreserve(self._pages_ticket)
        entries = [self._branch(0) for _ in range(self.request.num_beams)]
        self._promise(self.request.max_length)
        self._beams = [self._sequence(e, Wants.BEAM, index=i) for i, e in enumerate(entries)]
        return self._beams

    def _promise(self, tokens_left: int) -> None:
        promised = self.table.reserve(self._pages_ticket, self._ticket_pages(tokens_left) * PAGE_SIZE)
        assert promised, "pages were set aside when the call started"

    def expanded(self, logits: Float32) -> None:
        search = self.search
        before = {id(h): h for _, h in search.pool}  # holds them, so that no id is used again
        search.advance(logits)
        self.table.unreserve(self._pages_ticket)
        if self.request.keep_states:
            self._keep_pool(before)
        if search.done:
            self._finish()
            return
        entries = [self._grow(h) for h in search.beams]
        for old in self._beams:
            self._free(old.entry)
        self.table.append_one(np.array(entries, np.int64), np.array([h.token_ids[-1] for h in search.beams], np.int32))
        self.engine.scheduler.remove(self._beams)
        self._beams = [self._sequence(e, Wants.BEAM, index=i) for i, e in enumerate(entries)]
        self.engine.scheduler.add(self._beams)
        self._promise(self.request.max_length - len(search.beams[0].token_ids))

    def _grow(self, hypothesis: Hypothesis) -> int:
        """An entry of a hypothesis' parent, to which its last token can be added."""
        entry = self.table.fork(self._beams[hypothesis.parent].entry)
        self._entries.add(entry)
        return entry

    def _keep_pool(self, before: dict[int, Hypothesis | None]) -> None:
        """Entries for the hypotheses that came into the pool; those that fell out of it lose theirs."""
        pool = {id(h): h for _, h in self.search.pool if h is not None}
        for gone in self._kept.keys() - pool.keys():
            self._free(self._kept.pop(gone))
        for key in pool.keys() - before.keys():
            entry = self._grow(pool[key])
            self.table.append(entry, as_int32(pool[key].token_ids[-1:]))
            self._kept[key] = entry

    def answer_ended(self) -> None:
        nothing = Hypothesis((), b"", 0, ended=True)
        self.search.pool = [(np.float32(0), nothing)] * self.request.num_beams
        self._finish()

    def _finish(self) -> None:
        engine = self.engine
        num_return = self.request.num_return or self.request.num_beams
        found = [(s, h) for s, h in self.search.pool if h is not None][:num_return]
        states = []
        if self.request.keep_states:
            for _, h in found:
                entry = self._kept.pop(id(h), None)
                if entry is not None:
                    self._entries.remove(entry)
                finished = self.record.finished or h.token_ids[-1] in engine.eos_ids
                states.append(
                    engine.store.keep(
                        self.record,
                        h.token_ids,
                        self.record.stream,
                        entry,
                        finished=finished,
                        match_end=h.match_end,
                    )
                )
        self.release()
        result = BeamResult(
            self.state.id,
            tuple(self._text(h.token_ids) for _, h in found),
            tuple(float(s) for s, _ in found),
            tuple(h.token_ids for _, h in found),
            tuple(h.ended for _, h in found),
            tuple(states),
        )
        engine.loop.finish(self, result)

    def _text(self, token_ids: tuple[int, ...]) -> str:
        """The text of new tokens; a code point that an end of text cuts off becomes U+FFFD."""
        tokenizer = self.engine.tokenizer
        decoder = Utf8Decoder(self.record.pending_bytes(tokenizer))
        text = decoder.feed(b"".join(map(tokenizer.token_bytes, token_ids)))
        return text + decoder.flush() if token_ids and token_ids[-1] in self.engine.eos_ids else text

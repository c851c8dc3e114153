"""The buffers of a step, and how they are filled: all index tensors in one native call.

The arrays are made once and keep their addresses, so that a recorded step can be replayed on them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from .._native import PAGE_SIZE, StateTable
from ..calls.requests import MAX_TOP_LOGPROBS
from ..ops.base import Drawn, Plan
from ..ops.searches import Searches
from ..sampling.drawing import Drawing
from ..sampling.masks import Masks
from ..sampling.row import GREEDY, RowBuffers
from .scheduler import Job, Sequence, Wants

_STEADY = (Wants.DRAW, Wants.BEAM)


class Draw(NamedTuple):
    """What `sample` gave for one row (ops.base.Drawn). top_tokens, top_logprobs: as many as were asked for."""

    token: int
    probability: float
    logprob: float
    sampling_probability: float
    top_tokens: Collection[int] = ()
    top_logprobs: Collection[float] = ()


def new_plan(max_tokens: int, max_rows: int, max_pages: int) -> Plan:
    """Buffers for N = max_tokens, S = R = max_rows and M = max_pages."""

    def ints(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
        return np.zeros(shape, np.int32)

    return Plan(
        num_tokens=ints(1),
        num_seqs=ints(1),
        num_rows=ints(1),
        num_draws=ints(1),
        ids=ints(max_tokens),
        positions=ints(max_tokens),
        starts=ints(max_rows + 1),
        lengths=ints(max_rows),
        tables=ints(max_rows, max_pages),
        rows=ints(max_rows),
    )


def new_drawn(max_rows: int) -> Drawn:
    """Buffers for what so many rows draw."""
    token, kept, status = (np.zeros(max_rows, np.int32) for _ in range(3))
    probability, logprob, sampling_probability = (np.zeros(max_rows, np.float32) for _ in range(3))
    top_token = np.zeros((max_rows, MAX_TOP_LOGPROBS), np.int32)
    top_probability, top_logprob = (np.zeros((max_rows, MAX_TOP_LOGPROBS), np.float32) for _ in range(2))
    return Drawn(
        token, probability, logprob, sampling_probability, kept, status, top_token, top_probability, top_logprob
    )


class Batch:
    """One step's work, and the buffers that the model reads and writes.

    max_tokens N, max_rows R (also most sequences), max_pages M of one sequence.
    """

    def __init__(
        self,
        max_tokens: int,
        max_rows: int,
        max_pages: int,
        vocabulary: int,
        eos_ids: frozenset[int],
        searches: Searches,
    ) -> None:
        self.plan = new_plan(max_tokens, max_rows, max_pages)
        self.masks = Masks(vocabulary, eos_ids)
        self._buffers = RowBuffers(max_rows, max_pages * PAGE_SIZE, self.masks)
        self.params = self._buffers.params
        self.drawn = new_drawn(max_rows)
        self.searches = searches
        self.work: list[tuple[Sequence, int]] = []
        self.rows: list[tuple[Sequence, int, int]] = []  # sequence, its first row, its rows
        self.silent: list[Sequence] = []  # those that want no row
        self.num_draws = 0  # rows of sequences that want a draw: they come first
        self.entries = self.draw_entries = np.zeros(0, np.int64)  # handles: of the work, of the rows drawn
        self._counts = np.zeros(0, np.int32)
        self._repeats = False  # whether the same work again needs no other rows
        self._moving: list[tuple[int, Drawing]] = []  # rows that change with each token
        self._top_rows: list[int] = []  # rows whose most likely tokens are to be told

    def build(self, work: list[tuple[Sequence, int]], table: StateTable) -> int:
        """Fills the buffers for `work`, as Scheduler.plan gives it. Returns N."""
        steady = self._repeats and work == self.work and not any(seq.row_changed for seq, _ in work)
        self.work = work
        if not steady or self.searches.num_live[0]:  # beams change their entries
            self.entries = np.array([s.entry for s, _ in work], np.int64)
            self._counts = np.array([count for _, count in work], np.int32)
        plan = self.plan
        tokens = table.fill(
            self.entries, self._counts, plan.ids, plan.positions, plan.starts, plan.lengths, plan.tables
        )
        if not steady:
            self._repeats = all(count == 1 and seq.wants in _STEADY for seq, count in work)
            self.silent = [seq for seq, _ in work if seq.wants is Wants.NOTHING]
            self._build_rows()
        draws = self.num_draws
        self.params.position[:draws] = plan.positions[plan.rows[:draws]]
        self.params.position[:draws] += 1
        for row, drawing in self._moving:
            drawing.move(self._buffers, row, plan.ids[plan.rows[row]])
        plan.num_tokens[0] = tokens
        plan.num_seqs[0] = len(work)
        return tokens

    def _build_rows(self) -> None:
        """Which tokens' logits are wanted, and the parameters to draw with."""
        self.rows.clear()
        plan, end, row = self.plan, 0, 0
        scores = 0
        searches: list[tuple[Job, int]] = []
        for seq, count in self.work:
            end += count
            if seq.wants is Wants.SCORE:
                num = max(seq.computed + count - max(seq.logits_from, seq.computed), 0)
            else:
                num = int(count == seq.pending and seq.wants is not Wants.NOTHING)
            if not num:
                continue
            self.rows.append((seq, row, num))
            plan.rows[row : row + num] = range(end - num, end)
            if seq.wants is Wants.BEAM:
                seq.row_changed = False
                if seq.index == 0:
                    searches.append((seq.job, row))
            elif seq.wants is Wants.SCORE:
                scores += num
                for i in range(num):
                    GREEDY.write(self.params, row + i)
                first = seq.computed + count - num - seq.logits_from
                self.params.forced[row : row + num] = seq.row[first : first + num]
            row += num
        draws = [seq for seq, _, _ in self.rows if seq.wants is Wants.DRAW]
        self._write_draws(draws)
        self.num_draws = len(draws)
        self.draw_entries = np.array([seq.entry for seq in draws], np.int64)
        self._write_searches(searches)
        plan.num_draws[0] = len(draws) + scores
        plan.num_rows[0] = row

    def _write_draws(self, draws: list[Sequence]) -> None:
        """The parameters of the rows that are drawn, which are the first ones."""
        drawings: list[Drawing] = [seq.row for seq in draws]
        new = [d for d in drawings if d.needs_slot and d.slot < 0]
        if new:
            # A sequence draws in every step from its first draw to its end: slots of others are nobody's.
            taken = {d.slot for d in drawings}
            free = (slot for slot in range(len(self.params.mask)) if slot not in taken)
            for drawing, slot in zip(new, free, strict=False):
                drawing.slot = slot
        for row, (seq, drawing) in enumerate(zip(draws, drawings, strict=True)):
            drawing.write(self._buffers, row)
            seq.row_changed = False
        self._moving = [(row, d) for row, d in enumerate(drawings) if d.moves]
        self._top_rows = [row for row, d in enumerate(drawings) if d.top_n]

    def _write_searches(self, searches: list[tuple[Job, int]]) -> None:
        """Which searches' beams are in the step, and the first row of each."""
        for i, (job, row) in enumerate(searches):
            self.searches.live[i], self.searches.first_row[i] = job.slot, row
        self.searches.num_live[0] = len(searches)

    def draws(self) -> list[Draw]:
        """What the step gave for its rows, those of beams left out."""
        drawn, rows = self.drawn, int(self.plan.num_draws[0])
        found = list(
            map(
                Draw,
                drawn.token[:rows].tolist(),
                drawn.probability[:rows].tolist(),
                drawn.logprob[:rows].tolist(),
                drawn.sampling_probability[:rows].tolist(),
            )
        )
        for row in self._top_rows:
            n = np.count_nonzero(drawn.top_token[row, : self.params.top_n[row]] >= 0)  # less where finite ones end
            tokens, logprobs = drawn.top_token[row, :n].tolist(), drawn.top_logprob[row, :n].tolist()
            found[row] = found[row]._replace(top_tokens=tokens, top_logprobs=logprobs)
        return found


def max_pages(context_length: int) -> int:
    """M: most pages of one sequence."""
    return -(-context_length // PAGE_SIZE)

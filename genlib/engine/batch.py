"""The buffers of a step, and how they are filled: all index tensors in one native call.

The arrays are allocated once and keep their addresses, so that a recorded step can be run on them.
"""

from __future__ import annotations

import numpy as np

from .._native import PAGE_SIZE, StateTable
from ..jobs.sequence import Sequence, Wants
from ..ops.buffers import StepBuffers, new_plan, new_sampler_output
from ..ops.searches import SearchBuffers
from ..sampling.masks import VocabularyMasks
from ..sampling.row import GREEDY, RowBuffers
from ..sampling.sampler import SequenceSampler
from ..sampling.token import SampledToken

_STEADY = (Wants.TOKEN, Wants.BEAMS)


class Batch:
    """The work of one step, and the buffers that the model reads and writes.

    max_tokens: N. max_rows: R, also the maximum number of sequences. max_pages: M, of one sequence.
    """

    def __init__(
        self,
        max_tokens: int,
        max_rows: int,
        max_pages: int,
        vocabulary: int,
        eos_ids: frozenset[int],
        searches: SearchBuffers,
    ) -> None:
        self.masks = VocabularyMasks(vocabulary, eos_ids)
        self._rows = RowBuffers(max_rows, max_pages * PAGE_SIZE, self.masks)
        self.plan = new_plan(max_tokens, max_rows, max_pages)
        self.params = self._rows.params
        self.output = new_sampler_output(max_rows)
        self.searches = searches
        self.buffers = StepBuffers(plan=self.plan, params=self.params, output=self.output, searches=searches)
        self.work: list[tuple[Sequence, int]] = []
        self.rows: list[tuple[Sequence, int, int]] = []  # sequence, its first row, its rows
        self.silent: list[Sequence] = []  # sequences that want no row
        self.num_new = 0  # number of rows of sequences that want a token; these come first
        self.entries = self.new_entries = np.zeros(0, np.int64)  # handles: of all work; of those that want a token
        self._counts = np.zeros(0, np.int32)
        self._repeats = False  # whether the same work again has the same rows
        self._moving: list[tuple[int, SequenceSampler]] = []  # rows whose sampler changes with every token
        self._top_rows: list[int] = []  # rows whose most likely tokens are reported

    def build(self, work: list[tuple[Sequence, int]], table: StateTable) -> int:
        """Fills the buffers for `work`, as returned by Scheduler.plan. Returns N."""
        steady = self._repeats and work == self.work and not any(seq.sampler_changed for seq, _ in work)
        self.work = work
        if not steady or self.searches.num_live[0]:  # beams get other entries in every step
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
        new = self.num_new
        self.params.position[:new] = plan.positions[plan.rows[:new]]
        self.params.position[:new] += 1
        for row, sampler in self._moving:
            sampler.move(self._rows, row, plan.ids[plan.rows[row]])
        plan.num_tokens[0] = tokens
        plan.num_seqs[0] = len(work)
        return tokens

    def _build_rows(self) -> None:
        """Writes which tokens need logits, and the sampler parameters of these rows."""
        self.rows.clear()
        plan, end, row = self.plan, 0, 0
        scores = 0
        searches: list[tuple[int, int]] = []
        for seq, count in self.work:
            end += count
            if seq.wants is Wants.SCORES:
                num = max(seq.computed + count - max(seq.logits_from, seq.computed), 0)
            else:
                num = int(count == seq.pending and seq.wants is not Wants.NOTHING)
            if not num:
                continue
            self.rows.append((seq, row, num))
            plan.rows[row : row + num] = range(end - num, end)
            if seq.wants is Wants.BEAMS:
                seq.sampler_changed = False
                if seq.index == 0:
                    searches.append((seq.slot, row))
            elif seq.wants is Wants.SCORES:
                scores += num
                first = seq.computed + count - num - seq.logits_from
                self._write_known(seq.known[first : first + num], row)
            row += num
        sampled = [seq for seq, _, _ in self.rows if seq.wants is Wants.TOKEN]
        self._write_samplers(sampled)
        self.num_new = len(sampled)
        self.new_entries = np.array([seq.entry for seq in sampled], np.int64)
        self._write_searches(searches)
        plan.num_sampled[0] = len(sampled) + scores
        plan.num_rows[0] = row

    def _write_samplers(self, seqs: list[Sequence]) -> None:
        """Writes the parameters of the rows to sample from, which come first."""
        samplers = [seq.sampler for seq in seqs if seq.sampler is not None]
        new = [sampler for sampler in samplers if sampler.needs_slot and sampler.slot < 0]
        if new:
            # A sequence is sampled in every step from its first token to its end, so slots not in this step are free.
            taken = {sampler.slot for sampler in samplers}
            free = (slot for slot in range(len(self.params.mask)) if slot not in taken)
            for sampler, slot in zip(new, free, strict=False):
                sampler.slot = slot
        for row, (seq, sampler) in enumerate(zip(seqs, samplers, strict=True)):
            sampler.write(self._rows, row)
            seq.sampler_changed = False
        self._moving = [(row, sampler) for row, sampler in enumerate(samplers) if sampler.moves]
        self._top_rows = [row for row, sampler in enumerate(samplers) if sampler.top_n]

    def _write_known(self, tokens: tuple[int, ...], row: int) -> None:
        """Writes the parameters of rows, from `row` on, that report the log-probabilities of known tokens."""
        for i in range(row, row + len(tokens)):
            GREEDY.write(self.params, i)
        self.params.forced[row : row + len(tokens)] = tokens

    def _write_searches(self, searches: list[tuple[int, int]]) -> None:
        """Writes the slots of the searches whose beams are in the step, and the first row of each."""
        for i, (slot, row) in enumerate(searches):
            self.searches.live[i], self.searches.first_row[i] = slot, row
        self.searches.num_live[0] = len(searches)

    def sampled(self) -> list[SampledToken]:
        """The results of the step for its rows, except those of beams."""
        out, rows = self.output, int(self.plan.num_sampled[0])
        found = list(
            map(
                SampledToken,
                out.token[:rows].tolist(),
                out.probability[:rows].tolist(),
                out.logprob[:rows].tolist(),
                out.sampling_probability[:rows].tolist(),
            )
        )
        for row in self._top_rows:
            n = np.count_nonzero(out.top_token[row, : self.params.top_n[row]] >= 0)  # fewer if fewer logits are finite
            tokens, logprobs = out.top_token[row, :n].copy(), out.top_logprob[row, :n].copy()
            found[row] = found[row]._replace(top_tokens=tokens, top_logprobs=logprobs)
        return found

"""The beam step's second kernel: masses and candidates of rows, and then, search by search, the step.

Of the programs of a row, the one that comes last sums the row up and scores its candidates; of these programs, the
last one of a search moves the search on. So nothing waits for another, and there is no third launch.
"""

from __future__ import annotations

import triton
import triton.language as tl

from ..row import sizes
from ..row.keys import LOWEST
from ..row.lists import LISTED, VECTOR, append
from ..row.mass import INFINITY, MODEL_SCALE, PEAK_MASS, mass, natural_log
from ..row.tiles import load_logits
from . import limits
from .choice import step_search
from .scores import candidate_key, score_of

BLOCK = tl.constexpr(limits.BLOCK)
BLOCKS = tl.constexpr(limits.num_blocks(sizes.MAX_VOCABULARY))  # most of a row
FEW = tl.constexpr(64)


@triton.jit
def score_listed(work, searches, r, slot, first, n, threshold, peak, log_total, total_score):
    """Puts the candidates of a row on its search's list, in any order: what has a score, out of n listed vectors.

    Those for which the list has no place are counted only.
    """
    room = tl.load(searches.num_beams + slot) * LISTED
    for i in range(0, n, FEW):
        slots = i + tl.arange(0, FEW)
        there = slots < n
        ids = tl.load(work.listed_first + r * LISTED + slots, mask=there, other=0)
        ids = ids[:, None] + tl.arange(0, VECTOR)[None, :]
        at = (r * LISTED + slots)[:, None] * VECTOR + tl.arange(0, VECTOR)[None, :]
        x = tl.load(work.listed + at, mask=there[:, None], other=-INFINITY).to(tl.float32)
        score = score_of(x, peak, log_total, total_score)
        chosen = tl.reshape((x >= threshold) & (score > -INFINITY), [FEW * VECTOR])
        keys = tl.reshape(candidate_key(score, (r - first).to(tl.int32), ids), [FEW * VECTOR])
        begin = tl.atomic_add(work.num_keys + first, tl.sum(chosen.to(tl.int32)), sem="relaxed")
        places = begin + tl.cumsum(chosen.to(tl.int32)) - 1
        tl.store(work.keys + first * LISTED + places, keys, mask=chosen & (places < room))


@triton.jit
def sum_row(searches, work, r, slot, first, blocks):
    """What a row's mass is, its candidates' scores, and the best score that a token which is not listed can have."""
    at = tl.arange(0, BLOCKS)
    total = tl.sum(tl.load(work.block_mass + r * blocks + at, mask=at < blocks, other=0))
    log_total = natural_log(total.to(tl.float64) / PEAK_MASS)
    peak = tl.load(work.peak + r)
    total_score = tl.load(searches.score + tl.load(searches.lane + slot) + (r - first))
    threshold = tl.load(work.threshold + r)
    n = tl.load(work.num_listed + r)
    unlisted = score_of(peak, peak, log_total, total_score)
    if n <= LISTED:
        score_listed(work, searches, r, slot, first, n, threshold, peak, log_total, total_score)
        below = score_of(threshold, peak, log_total, total_score)
        unlisted = tl.where(threshold > LOWEST, below, -INFINITY)
    tl.store(work.log_total + r, log_total)
    tl.store(work.unlisted + r, unlisted)


@triton.jit(do_not_specialize=["num_eos", "norms_stride", "past_stride"])
def beam_rows(logits, searches, work, num_eos, norms_stride, past_stride, LOG_SIZE: tl.constexpr):
    """Grid R · U. A program reads a block of 4096 tokens.

    2 ** LOG_SIZE: candidates that are sorted together, at least twice as many as any search wants.
    """
    blocks = tl.cdiv(logits.size, BLOCK)
    r = (tl.program_id(0) // blocks).to(tl.int64)
    block = tl.program_id(0) % blocks
    slot = tl.load(work.slot + r)
    if slot >= 0:
        first = tl.load(work.first_row + r).to(tl.int64)
        peak = tl.load(work.peak + r)
        is_good = tl.abs(peak) < INFINITY
        if is_good:
            vectors = block * BLOCK + tl.arange(0, BLOCK // VECTOR) * VECTOR
            ids = vectors[:, None] + tl.arange(0, VECTOR)[None, :]
            x = load_logits(logits, r, ids)
            masses = mass((x.to(tl.float32) - peak) * MODEL_SCALE)
            tl.store(work.block_mass + r * blocks + block, tl.sum(tl.sum(masses, 1)))
            room = r * LISTED
            append(
                x,
                vectors,
                tl.load(work.threshold + r),
                work.num_listed + r,
                work.listed_first + room,
                work.listed + room * VECTOR,
            )
        tl.debug_barrier()
        if tl.atomic_add(work.blocks_done + r, 1, sem="acq_rel") == blocks - 1:
            if is_good:
                sum_row(searches, work, r, slot, first, blocks)
            tl.debug_barrier()
            beams = tl.load(searches.num_beams + slot)
            if tl.atomic_add(work.rows_done + first, 1, sem="acq_rel") == beams - 1:
                step_search(logits, searches, work, slot, first, beams, num_eos, norms_stride, past_stride, LOG_SIZE)

"""The beam step's second kernel: masses and candidates of rows, and then, search by search, the step.

The last program of a row sums the row up and scores its candidates; the last of these programs of a search moves the
search on. So nothing waits for another, and there is no third launch.
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
from .advance import Layout
from .choice import step_search
from .scores import Beam, candidate_key, score_of

BLOCK = tl.constexpr(limits.BLOCK)
BLOCKS = tl.constexpr(limits.num_blocks(sizes.MAX_VOCABULARY))  # most of a row
FEW = tl.constexpr(64)  # vectors that are looked at together


@triton.jit
def score_listed(work, s, first, beam, n, threshold, room):
    """Puts the keys of a row's candidates on its search's list, in any order: what has a score, of n listed vectors.

    Those beyond `room` are counted only.
    """
    for i in range(0, n, FEW):
        at = i + tl.arange(0, FEW)
        there = at < n
        ids = tl.load(work.listed_first + s * LISTED + at, mask=there, other=0)
        ids = ids[:, None] + tl.arange(0, VECTOR)[None, :]
        place = (s * LISTED + at)[:, None] * VECTOR + tl.arange(0, VECTOR)[None, :]
        x = tl.load(work.listed + place, mask=there[:, None], other=-INFINITY).to(tl.float32)
        score = score_of(x, beam)
        chosen = tl.reshape((x >= threshold) & (score > -INFINITY), [FEW * VECTOR])
        keys = tl.reshape(candidate_key(score, (s - first).to(tl.int32), ids), [FEW * VECTOR])
        begin = tl.atomic_add(work.num_keys + first, tl.sum(chosen.to(tl.int32)), sem="relaxed")
        places = begin + tl.cumsum(chosen.to(tl.int32)) - 1
        tl.store(work.keys + first * LISTED + places, keys, mask=chosen & (places < room))


@triton.jit
def sum_row(searches, work, s, slot, first, blocks):
    """Sums up row s: its mass, its candidates' scores, and the best score that a token which is not listed can have."""
    block = tl.arange(0, BLOCKS)
    total = tl.sum(tl.load(work.block_mass + s * blocks + block, mask=block < blocks, other=0))
    log_total = natural_log(total.to(tl.float64) / PEAK_MASS)
    peak = tl.load(work.peak + s)
    beam = Beam(peak, log_total, tl.load(searches.score + tl.load(searches.lane + slot) + (s - first)))
    threshold = tl.load(work.threshold + s)
    n = tl.load(work.num_listed + s)
    unlisted = score_of(peak, beam)
    if n <= LISTED:
        room = tl.load(searches.num_beams + slot) * LISTED
        score_listed(work, s, first, beam, n, threshold, room)
        unlisted = tl.where(threshold > LOWEST, score_of(threshold, beam), -INFINITY)
    tl.store(work.log_total + s, log_total)
    tl.store(work.unlisted + s, unlisted)


@triton.jit(do_not_specialize=["num_eos", "norms_stride", "past_stride"])
def beam_rows(logits, searches, work, num_eos, norms_stride, past_stride, LOG_SIZE: tl.constexpr):
    """Grid S · U. A program reads a block of 4096 tokens.

    2 ** LOG_SIZE: candidates that are sorted together, at least twice as many as any search wants.
    """
    blocks = tl.cdiv(logits.size, BLOCK)
    s = (tl.program_id(0) // blocks).to(tl.int64)
    block = tl.program_id(0) % blocks
    slot = tl.load(work.slot + s)
    if slot >= 0:
        first = tl.load(work.first_row + s).to(tl.int64)
        peak = tl.load(work.peak + s)
        is_good = tl.abs(peak) < INFINITY
        if is_good:
            firsts = block * BLOCK + tl.arange(0, BLOCK // VECTOR) * VECTOR
            ids = firsts[:, None] + tl.arange(0, VECTOR)[None, :]
            x = load_logits(logits, s, ids)
            masses = mass((x.to(tl.float32) - peak) * MODEL_SCALE)
            tl.store(work.block_mass + s * blocks + block, tl.sum(tl.sum(masses, 1)))
            start, threshold = s * LISTED, tl.load(work.threshold + s)
            append(x, firsts, threshold, work.num_listed + s, work.listed_first + start, work.listed + start * VECTOR)
        tl.debug_barrier()
        if tl.atomic_add(work.blocks_done + s, 1, sem="acq_rel") == blocks - 1:
            if is_good:
                sum_row(searches, work, s, slot, first, blocks)
            tl.debug_barrier()
            beams = tl.load(searches.num_beams + slot)
            if tl.atomic_add(work.rows_done + first, 1, sem="acq_rel") == beams - 1:
                layout = Layout(num_eos, norms_stride, past_stride)
                step_search(logits, searches, work, slot, first, beams, layout, LOG_SIZE)

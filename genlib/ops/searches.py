"""The state of the beam searches of a batch, in buffers that stay where they are (docs/kernels.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arrays import Float32, Int32

NO_MATCH = -1

EarlyStopping = Literal["never"] | bool


@dataclass(frozen=True, slots=True)
class SearchBuffers:
    """B slots of one search each, R lanes of one beam each.

    A search has a slot while it runs, and the lanes lane[slot] to lane[slot] + num_beams[slot]: its running beams
    and, beside each, a place for a finished hypothesis, best first. The host says once what a search is, and in
    each step which searches' logits are there; `Ops.beam_step` does the rest.

    A hypothesis is named by how it ended: its number of new tokens, the lane (counted within the search) of the
    beam that it went on from, and its last token. The host keeps the lanes and tokens of all steps to follow it back.
    """

    # The step: by the host.
    num_live: Int32  # [1]
    live: Int32  # [B] slots, in the order of their rows
    first_row: Int32  # [B] of the i-th live search's K rows of logits
    # The search: by the host, before its first step.
    lane: Int32  # [B]
    num_beams: Int32  # [B] K
    num_candidates: Int32  # [B] of a step: K if K = 1, else max(2, 1 + E) · K
    max_length: Int32  # [B] most new tokens
    stop_when_full: Int32  # [B] early_stopping is True
    bound_length: Int32  # [B] at which the best beam is compared: max_length for "never" with a penalty > 0, else 0
    norms: Float32  # [B, T + 1] float32(n ** length_penalty)
    # The search so far: zeros before its first step, but `may_improve` 1.
    length: Int32  # [B] new tokens of its beams
    may_improve: Int32  # [B] whether a running beam may still enter the finished ones
    done: Int32  # [B]
    status: Int32  # [B] as of SamplerOutput, of its rows
    # Its beams: score 0 and then −1e9, stop_state where the state's text leaves off.
    score: Float32  # [R] sum of log-probabilities
    stop_state: Int32  # [R] of the automaton; 0 never stops
    parent: Int32  # [R] lane that the beam went on from in this step
    token: Int32  # [R] its last token
    # Its finished hypotheses: score −1e9, length 0 before the first step.
    pool_score: Float32  # [R] sum of log-probabilities over norms[length]
    pool_length: Int32  # [R] new tokens; 0: there is none
    pool_parent: Int32  # [R]
    pool_token: Int32  # [R]
    pool_ended: Int32  # [R] by an end of text or a stop sequence, not by the length
    pool_match_end: Int32  # [R] bytes of the last token up to the end of its stop sequence, or NO_MATCH
    # Constants and the stop sequences.
    eos_ids: Int32  # [E]
    token_bytes: npt.NDArray[np.uint8]  # of token v: from token_starts[v] to token_starts[v + 1]
    token_starts: npt.NDArray[np.int64]  # [V + 1]
    stop_next: npt.NDArray[np.uint16]  # [Q, 256] the state after a byte; row 0 is all 0
    stop_ends: npt.NDArray[np.uint8]  # [Q] whether a stop sequence ends here


def new_search_buffers(
    slots: int,
    lanes: int,
    longest: int,
    eos_ids: frozenset[int],
    tokens: tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]],
    stop_states: int,
) -> SearchBuffers:
    """Buffers for `slots` searches, `lanes` beams, `longest` new tokens and `stop_states` states of automata.

    What no search uses costs address space only: the pages of zeros are the operating system's.
    """

    def zeros(*shape: int) -> npt.NDArray[Any]:
        return np.zeros(shape, np.int32)

    return SearchBuffers(
        num_live=zeros(1), live=zeros(slots), first_row=zeros(slots), lane=zeros(slots), num_beams=zeros(slots),
        num_candidates=zeros(slots), max_length=zeros(slots), stop_when_full=zeros(slots),
        bound_length=zeros(slots), norms=np.zeros((slots, longest + 1), np.float32),
        length=zeros(slots), may_improve=zeros(slots), done=zeros(slots), status=zeros(slots),
        score=np.zeros(lanes, np.float32), stop_state=zeros(lanes), parent=zeros(lanes), token=zeros(lanes),
        pool_score=np.zeros(lanes, np.float32), pool_length=zeros(lanes), pool_parent=zeros(lanes),
        pool_token=zeros(lanes), pool_ended=zeros(lanes), pool_match_end=zeros(lanes),
        eos_ids=np.array(sorted(eos_ids), np.int32), token_bytes=tokens[0], token_starts=tokens[1],
        stop_next=np.zeros((stop_states, 256), np.uint16), stop_ends=np.zeros(stop_states, np.uint8),
    )  # fmt: skip

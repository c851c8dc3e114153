"""The state of the beam searches of a batch, in buffers at fixed addresses (docs/kernels.md)."""

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
    """B slots of one search each, and R lanes of one beam each.

    While a search runs it has a slot, and the lanes from lane[slot] up to lane[slot] + num_beams[slot]: its running
    beams and, beside each, room for a finished hypothesis, best first. The host sets up a search once, and in each step
    says which searches have logits; `Ops.beam_step` does the rest.

    A hypothesis is identified by its number of new tokens, the lane (counted within the search) of the beam that it
    extends, and its last token. The host keeps the parents and tokens of all steps, and traces it back through them.
    """

    # The step. Set by the host.
    num_live: Int32  # [1]
    live: Int32  # [B] slots, in the order of their rows
    first_row: Int32  # [B] first of the K rows of logits of the i-th live search
    # The search. Set by the host before its first step.
    lane: Int32  # [B]
    num_beams: Int32  # [B] K
    num_candidates: Int32  # [B] per step: K if K = 1, else max(2, 1 + E) · K
    max_length: Int32  # [B] maximum number of new tokens
    stop_when_full: Int32  # [B] early_stopping is True
    bound_length: (
        Int32  # [B] length at which the best beam is compared: max_length for "never" with a penalty > 0, else 0
    )
    norms: Float32  # [B, T + 1] float32(n ** length_penalty)
    # The progress of the search. Before its first step: zeros, except may_improve = 1.
    length: Int32  # [B] number of new tokens of its beams
    may_improve: Int32  # [B] whether a running beam can still become one of the best finished ones
    done: Int32  # [B]
    status: Int32  # [B] as SamplerOutput.status: the worst of its rows
    # Its beams. Before the first step: score 0 for the first, −1e9 for the others; stop_state after the state's text.
    score: Float32  # [R] sum of log-probabilities
    stop_state: Int32  # [R] state of the automaton; 0 never matches
    parent: Int32  # [R] lane of the beam that it extends in this step
    token: Int32  # [R] its last token
    # Its finished hypotheses. Before the first step: score −1e9, length 0.
    pool_score: Float32  # [R] sum of log-probabilities / norms[length]
    pool_length: Int32  # [R] number of new tokens; 0: no hypothesis
    pool_parent: Int32  # [R]
    pool_token: Int32  # [R]
    pool_ended: Int32  # [R] whether by an end of text or a stop sequence, not by the length
    pool_match_end: Int32  # [R] bytes of the last token up to the end of its stop sequence, or NO_MATCH
    # Constants and the stop sequences.
    eos_ids: Int32  # [E]
    token_bytes: npt.NDArray[np.uint8]  # the bytes of token v are those from token_starts[v] to token_starts[v + 1]
    token_starts: npt.NDArray[np.int64]  # [V + 1]
    stop_next: npt.NDArray[np.uint16]  # [Q, 256] next state for each state and byte; row 0 is all 0
    stop_ends: npt.NDArray[np.uint8]  # [Q] whether a stop sequence ends in the state


def new_search_buffers(
    slots: int,
    lanes: int,
    longest: int,
    eos_ids: frozenset[int],
    tokens: tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]],
    stop_states: int,
) -> SearchBuffers:
    """Buffers for `slots` searches, `lanes` beams, `longest` new tokens and `stop_states` automaton states.

    Unused parts cost address space only: the operating system allocates zeroed pages on first use.
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

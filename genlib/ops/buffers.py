"""What a step reads and writes besides the weights: buffers allocated once, at fixed addresses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Float32, Int32, Int64, UInt32, UInt64
from .searches import SearchBuffers

MAX_TOP_LOGPROBS = 64  # maximum N: tokens that `sample` can report besides the one drawn

_STATUS = {1: "no finite logit among the tokens allowed", 2: "a logit of +inf"}


def explain_status(status: int) -> str:
    """What is wrong with a row of logits, given its status from `sample` or `beam_step`."""
    return _STATUS[status]


@dataclass(frozen=True, slots=True)
class Plan:
    """The index tensors of one step. `batch` fills them in one native call; their addresses do not change.

    Sequence s owns the query tokens i from starts[s] up to starts[s + 1]. The keys and values of token i are written to
    position positions[i] of its sequence, and it attends to positions 0 to positions[i].
    """

    num_tokens: Int32  # [1] N
    num_seqs: Int32  # [1] S
    num_rows: Int32  # [1] R
    num_sampled: Int32  # [1] number of leading rows that are sampled; the rows after them belong to beams
    ids: Int32  # [N]
    positions: Int32  # [N]
    starts: Int32  # [S + 1]
    lengths: Int32  # [S] length of the sequence after this step: its last query's position + 1
    tables: Int32  # [S, M] page ids
    rows: Int32  # [R] query tokens whose logits are needed


@dataclass(frozen=True, slots=True)
class RowParams:
    """The sampler's parameters of each row (docs/kernels.md).

    scale: float32(log2(e) / T); 0 for greedy. top_k: 0 is off. top_p: max(1, floor(p · 2³²)); 0 is off (p = 1).
    min_p: float32(log2(min_p)); −inf is off. mask: row of `masks`; −1 for none. forced: −1 to sample, or the id of a
    token to report the probability of instead of sampling. top_n: number of most likely tokens to report; 0 is off.

    repetition, presence, frequency: penalties; off at 1, 0, 0. Tokens that have a bias or have occurred are the row's
    edits: edit_count[r] entries of the `edit_` arrays, starting at edit_start[r], in ascending order of unique ids.
    """

    scale: Float32  # [R]
    top_k: Int32  # [R]
    top_p: UInt32  # [R]
    min_p: Float32  # [R]
    seed: UInt64  # [R]
    stream: UInt64  # [R]
    position: Int64  # [R]
    mask: Int32  # [R]
    forced: Int32  # [R]
    top_n: Int32  # [R]
    repetition: Float32  # [R]
    presence: Float32  # [R]
    frequency: Float32  # [R]
    edit_start: Int64  # [R]
    edit_count: Int32  # [R]
    masks: UInt32  # [number of masks, ceil(V / 32)] bit v % 32 of word v // 32: token v is allowed
    edit_token: Int32  # [E]
    edit_bias: Float32  # [E] added to the logit
    edit_seen: Int32  # [E] −1: has not occurred; 0: only in given text; n: n times in generated text


@dataclass(frozen=True, slots=True)
class SamplerOutput:
    """What `sample` writes for each row. status: 0 success; 1 no finite logit among the allowed tokens; 2 a +inf.

    The top_ arrays contain the model's `top_n` most likely tokens, best first; if fewer logits are finite, the rest is
    −1, 0, −inf. Entries beyond `top_n` are not written.
    """

    token: Int32  # [R]
    probability: Float32  # [R] under the model: softmax of the unmodified logits, temperature 1
    logprob: Float32  # [R] natural logarithm of it
    sampling_probability: Float32  # [R] under the distribution sampled from
    num_kept: Int32  # [R]
    status: Int32  # [R]
    top_token: Int32  # [R, N] for top_n up to N
    top_probability: Float32  # [R, N] under the model
    top_logprob: Float32  # [R, N]


@dataclass(frozen=True, slots=True)
class StepBuffers:
    """All buffers. The engine fills `plan`, `params` and `searches`; a step fills `output` and advances `searches`."""

    plan: Plan
    params: RowParams
    output: SamplerOutput
    searches: SearchBuffers


def new_plan(max_tokens: int, max_rows: int, max_pages: int) -> Plan:
    """Buffers for N = max_tokens, S = R = max_rows and M = max_pages."""

    def ints(*shape: int) -> Int32:
        return np.zeros(shape, np.int32)

    return Plan(
        num_tokens=ints(1),
        num_seqs=ints(1),
        num_rows=ints(1),
        num_sampled=ints(1),
        ids=ints(max_tokens),
        positions=ints(max_tokens),
        starts=ints(max_rows + 1),
        lengths=ints(max_rows),
        tables=ints(max_rows, max_pages),
        rows=ints(max_rows),
    )


def new_sampler_output(max_rows: int, max_top: int = MAX_TOP_LOGPROBS) -> SamplerOutput:
    """Buffers for R = max_rows and N = max_top."""
    token, kept, status = (np.zeros(max_rows, np.int32) for _ in range(3))
    probability, logprob, sampling_probability = (np.zeros(max_rows, np.float32) for _ in range(3))
    top_probability, top_logprob = (np.zeros((max_rows, max_top), np.float32) for _ in range(2))
    return SamplerOutput(
        token=token,
        probability=probability,
        logprob=logprob,
        sampling_probability=sampling_probability,
        num_kept=kept,
        status=status,
        top_token=np.zeros((max_rows, max_top), np.int32),
        top_probability=top_probability,
        top_logprob=top_logprob,
    )

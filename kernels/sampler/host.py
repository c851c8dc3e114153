"""The call on the CPU: the C++ sampler."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from genlib.ops import rows
from genlib.ops.buffers import RowParams, SamplerOutput
from genlib.ops.cpu import CpuOps

from ..row.logits import array_of
from ..row.threads import borrowed
from .request import SampleRequest
from .sampled import Sampled


def _float64(value: float | torch.Tensor, S: int) -> list[float]:
    """A parameter's value for each row."""
    return value.to(torch.float64).tolist() if isinstance(value, torch.Tensor) else [float(value)] * S


def _integers(value: int | torch.Tensor, S: int, dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
    if isinstance(value, torch.Tensor):
        return np.ascontiguousarray(value.numpy(), dtype)
    return np.full(S, value, dtype)


def row_params(request: SampleRequest) -> RowParams:
    """The request as RowParams, for numpy."""
    S, edits = request.num_rows, request.edits
    masks = np.zeros((0, (request.vocabulary + 31) // 32), np.uint32)
    if request.allowed is not None:
        masks = np.ascontiguousarray(request.allowed.numpy()).view(np.uint32)
    return RowParams(
        scale=np.array([rows.row_scale(t) for t in _float64(request.temperature, S)], np.float32),
        top_k=_integers(request.top_k, S, np.int32),
        top_p=np.array([rows.row_top_p(p) for p in _float64(request.top_p, S)], np.uint32),
        min_p=np.array([rows.row_min_p(p) for p in _float64(request.min_p, S)], np.float32),
        seed=_integers(request.seeds, S, np.int64).view(np.uint64),
        stream=_integers(request.streams, S, np.int64).view(np.uint64),
        position=_integers(request.positions, S, np.int64),
        mask=np.arange(S, dtype=np.int32) if len(masks) else np.full(S, -1, np.int32),
        forced=np.full(S, -1, np.int32),
        top_n=np.full(S, request.top_logprobs, np.int32),
        repetition=np.array(_float64(request.repetition_penalty, S), np.float32),
        presence=np.array(_float64(request.presence_penalty, S), np.float32),
        frequency=np.array(_float64(request.frequency_penalty, S), np.float32),
        edit_start=np.zeros(S, np.int64) if edits is None else edits.start.numpy(),
        edit_count=np.zeros(S, np.int32) if edits is None else edits.count.numpy(),
        masks=masks,
        edit_token=np.zeros(0, np.int32) if edits is None else edits.token.numpy(),
        edit_bias=np.zeros(0, np.float32) if edits is None else edits.bias.numpy(),
        edit_seen=np.zeros(0, np.int32) if edits is None else edits.seen.numpy(),
    )


def run(request: SampleRequest, out: Sampled, ops: CpuOps | None) -> None:
    """Samples by `ops`, or by threads that live as long as the call."""
    S, N = request.num_rows, request.top_logprobs
    drawn = SamplerOutput(
        token=np.empty(S, np.int32),
        probability=out.probability.numpy(),
        logprob=out.logprob.numpy(),
        sampling_probability=out.sampling_probability.numpy(),
        num_kept=out.num_kept.numpy(),
        status=out.status.numpy(),
        top_token=np.empty((S, N), np.int32),
        top_probability=out.top_probabilities.numpy() if N else np.empty((S, 0), np.float32),
        top_logprob=out.top_logprobs.numpy() if N else np.empty((S, 0), np.float32),
    )
    plan: Any = SimpleNamespace(num_sampled=np.array([S], np.int32))
    with borrowed(ops, S) as runner:
        runner.sample(array_of(request.logits), row_params(request), plan, drawn)
    out.token.copy_(torch.from_numpy(drawn.token))
    if N:
        out.top_tokens.copy_(torch.from_numpy(drawn.top_token))

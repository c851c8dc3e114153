"""From a request to the kernels' terms: which parameters are numbers, converted, and which are tensors."""

from __future__ import annotations

import numpy as np
import torch

from genlib.ops import rows

from . import sampling, tiles
from .answers import Outputs
from .peaks import Settings
from .request import Request
from .sampled import Sampled
from .workspace import Work

_FLAGS = {
    "temperature": tiles.TEMPERATURE,
    "top_k": tiles.TOP_K,
    "top_p": tiles.TOP_P,
    "min_p": tiles.MIN_P,
    "streams": tiles.STREAM,
    "repetition_penalty": tiles.REPETITION,
    "presence_penalty": tiles.PRESENCE,
    "frequency_penalty": tiles.FREQUENCY,
}


def _given(request: Request) -> int:
    """The flags of what is a tensor."""
    given = sum(flag.value for name, flag in _FLAGS.items() if isinstance(getattr(request, name), torch.Tensor))
    given += tiles.MASK.value * (request.allowed is not None)
    return given + tiles.EDITS.value * (request.edits is not None)


def _tensor(value: object, other: torch.Tensor) -> torch.Tensor:
    """A tensor [S]; for a number `other`, which is then not read, so that both are one compiled kernel."""
    return value.contiguous() if isinstance(value, torch.Tensor) else other


def _number(value: object, otherwise: float) -> float:
    return otherwise if isinstance(value, torch.Tensor) else float(value)


def _settings(request: Request, work: Work) -> Settings:
    floats = work.scale
    return Settings(
        temperature=_tensor(request.temperature, floats),
        top_k=_tensor(request.top_k, work.top_k),
        top_p=_tensor(request.top_p, floats),
        min_p=_tensor(request.min_p, floats),
        stream=_tensor(request.streams, work.stream),
        scale_number=float(rows.row_scale(_number(request.temperature, 1.0))),
        min_p_number=float(rows.row_min_p(_number(request.min_p, 0.0))),
    )


def _changes(request: Request, work: Work) -> tiles.Changes:
    allowed, edits = request.allowed, request.edits
    return tiles.Changes(
        mask=work.top_k if allowed is None else allowed,
        mask_stride=0 if allowed is None else allowed.stride(0),
        start=work.stream if edits is None else edits.start,
        count=work.top_k if edits is None else edits.count,
        token=work.top_k if edits is None else edits.token,
        bias=work.scale if edits is None else edits.bias,
        seen=work.top_k if edits is None else edits.seen,
        repetition=_tensor(request.repetition_penalty, work.scale),
        presence=_tensor(request.presence_penalty, work.scale),
        frequency=_tensor(request.frequency_penalty, work.scale),
        repetition_number=_number(request.repetition_penalty, 1.0),
        presence_number=_number(request.presence_penalty, 0.0),
        frequency_number=_number(request.frequency_penalty, 0.0),
    )


def launch_of(request: Request, work: Work) -> sampling.Launch:
    """The request as the kernels take it. Reads nothing from the device."""
    logits = request.logits
    # The only row's stride is never used; 16 is one that lets loads be wide.
    stride = logits.stride(0) if request.num_rows > 1 else 16
    return sampling.Launch(
        logits=tiles.Logits(logits, stride, request.vocabulary),
        settings=_settings(request, work),
        changes=_changes(request, work),
        seeds=request.seeds.contiguous(),
        positions=request.positions.contiguous(),
        given=_given(request),
        top_k=0 if isinstance(request.top_k, torch.Tensor) else request.top_k,
        top_p_bits=int(rows.row_top_p(_number(request.top_p, 1.0)).view(np.int32)),
        stream=0 if isinstance(request.streams, torch.Tensor) else request.streams,
        plain=request.allowed is None and request.edits is None,
        truncates=request.truncates,
        top_n=request.top_logprobs,
    )


def run(request: Request, work: Work, out: Sampled) -> None:
    """Launches the request's kernels on the current stream of the logits' device."""
    none = (out.token, out.probability, out.probability)
    tops = (out.top_tokens, out.top_probabilities, out.top_logprobs) if request.top_logprobs else none
    outputs = Outputs(
        out.token, out.probability, out.logprob, out.sampling_probability, out.num_kept, out.status, *tops
    )
    sampling.run(launch_of(request, work), work, outputs)

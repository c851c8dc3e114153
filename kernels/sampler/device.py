"""A request in the kernels' terms: which parameters are tensors, and which are numbers, converted."""

from __future__ import annotations

import numpy as np
import torch

from genlib.ops import rows

from ..row.launcher import kind_of
from ..row.logits import row_stride
from ..row.tiles import Logits
from . import given, launches
from .answers import Outputs
from .draw import Draws
from .edits import Edits
from .request import SampleRequest
from .sampled import Sampled
from .settings import Integers, Settings
from .values import Changes
from .workspace import Work, Workspace

_FLAGS = {
    "temperature": given.TEMPERATURE,
    "top_k": given.TOP_K,
    "top_p": given.TOP_P,
    "min_p": given.MIN_P,
    "streams": given.STREAM,
    "repetition_penalty": given.REPETITION,
    "presence_penalty": given.PRESENCE,
    "frequency_penalty": given.FREQUENCY,
}


def _given(request: SampleRequest) -> int:
    """The flags of given.py."""
    flags = sum(flag.value for name, flag in _FLAGS.items() if isinstance(getattr(request, name), torch.Tensor))
    flags += given.MASK.value * (request.allowed is not None)
    return flags + given.EDITS.value * (request.edits is not None)


def _tensor(value: object, other: torch.Tensor) -> torch.Tensor:
    """A tensor [S]; for a number `other`, which is not read. So both take the same compiled kernel."""
    return value.contiguous() if isinstance(value, torch.Tensor) else other


def _number(value: object, otherwise: float) -> float:
    return otherwise if isinstance(value, torch.Tensor) else float(value)


def _settings(request: SampleRequest, work: Work) -> Settings:
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


def _changes(request: SampleRequest, work: Work) -> Changes:
    """Mask, edits and penalties."""
    edits = Edits(work.stream, work.top_k, work.top_k, work.scale, work.top_k)
    penalties = (1.0, 0.0, 0.0)  # of no use without edits
    if request.edits is not None:
        edits = request.edits
        penalties = (request.repetition_penalty, request.presence_penalty, request.frequency_penalty)
    return Changes(
        mask=work.top_k if request.allowed is None else request.allowed,
        mask_stride=(request.vocabulary + 31) // 32 if request.allowed is None else request.allowed.stride(0),
        start=edits.start,
        count=edits.count,
        token=edits.token,
        bias=edits.bias,
        seen=edits.seen,
        repetition=_tensor(penalties[0], work.scale),
        presence=_tensor(penalties[1], work.scale),
        frequency=_tensor(penalties[2], work.scale),
        repetition_number=_number(penalties[0], 1.0),
        presence_number=_number(penalties[1], 0.0),
        frequency_number=_number(penalties[2], 0.0),
    )


def _integers(request: SampleRequest) -> Integers:
    """Numbers that are integers; what was given as a tensor is 0."""
    return Integers(
        top_k=0 if isinstance(request.top_k, torch.Tensor) else request.top_k,
        top_p_bits=int(rows.row_top_p(_number(request.top_p, 1.0)).view(np.int32)),
        stream=0 if isinstance(request.streams, torch.Tensor) else request.streams,
    )


def launch_of(request: SampleRequest, work: Work, out: Outputs) -> launches.Launch:
    """The request as the kernels take it. Reads nothing from the device."""
    logits = Logits(request.logits, row_stride(request.logits), request.vocabulary)
    settings, integers, changes = _settings(request, work), _integers(request), _changes(request, work)
    draws = Draws(request.seeds.contiguous(), request.positions.contiguous())
    plain = request.allowed is None and request.edits is None
    tensors = (request.logits, *settings, *changes, *draws, *out)
    # plain: the dtypes of the lists depend on it.
    numbers = (logits.stride, request.vocabulary, changes.mask_stride, integers.stream, plain)
    return launches.Launch(
        logits=logits,
        changes=changes,
        given=_given(request),
        settings=settings,
        integers=integers,
        draws=draws,
        top_n=request.top_logprobs,
        plain=plain,
        truncates=request.truncates,
        kind=kind_of(tensors, numbers),
    )


def run(request: SampleRequest, workspace: Workspace, out: Sampled) -> None:
    """Launches the request's kernels on the current stream of the logits' device."""
    none = (out.token, out.probability, out.probability)
    tops = (out.top_tokens, out.top_probabilities, out.top_logprobs) if request.top_logprobs else none
    outputs = Outputs(
        out.token, out.probability, out.logprob, out.sampling_probability, out.num_kept, out.status, *tops
    )
    launches.run(launch_of(request, workspace.work, outputs), workspace.work, outputs, workspace.launcher)

"""`genlib.kernels`: sampling on torch tensors, on a GPU or the CPU, without an engine (docs/kernels.md)."""

from __future__ import annotations

import torch

from genlib.checks import refuse

from ..row.logits import check_gpu
from . import host
from .edits import Edits, edits_of
from .request import SampleRequest
from .sampled import DTYPES, Sampled, new_sampled
from .workspace import Workspace, new_workspace


def sample(
    logits: torch.Tensor,
    *,
    temperature: float | torch.Tensor = 1.0,
    top_k: int | torch.Tensor = 0,
    top_p: float | torch.Tensor = 1.0,
    min_p: float | torch.Tensor = 0.0,
    seeds: torch.Tensor,
    positions: torch.Tensor,
    streams: int | torch.Tensor = 0,
    allowed: torch.Tensor | None = None,
    edits: Edits | None = None,
    repetition_penalty: float | torch.Tensor = 1.0,
    presence_penalty: float | torch.Tensor = 0.0,
    frequency_penalty: float | torch.Tensor = 0.0,
    top_logprobs: int = 0,
    out: Sampled | None = None,
    workspace: Workspace | None = None,
) -> Sampled:
    """Draws a token from each row of logits [S, V] (float32, bfloat16, float16; rows may lie apart).

    Each parameter is a number for all rows or a tensor [S] on the logits' device: float32 or float64; top_k int32 or
    int64; streams int64. A row's draw depends only on its logits, its parameters and its seeds, streams and positions,
    int64 [S] each. allowed [S, ceil(V / 32)] int32: bit v % 32 of word v // 32 allows token v. edits: logit bias, and
    the occurrences that the penalties need.

    out and workspace: the caller's buffers, else made in each call. On a GPU nothing waits for the host, so a call with
    both can be captured in a graph. InvalidRequest (a ValueError) names what is wrong; what tensors on a GPU hold is
    not checked: a row's status says if its logits cannot be drawn from.
    """
    request = SampleRequest(
        logits=logits,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        seeds=seeds,
        positions=positions,
        streams=streams,
        allowed=allowed,
        edits=edits,
        repetition_penalty=repetition_penalty,
        presence_penalty=presence_penalty,
        frequency_penalty=frequency_penalty,
        top_logprobs=top_logprobs,
    )
    drawn = new_sampled(request.num_rows, top_logprobs, logits.device) if out is None else _checked_out(request, out)
    if request.num_rows == 0:
        return drawn
    device = logits.device
    if workspace is not None and not workspace.fits(request.num_rows, request.vocabulary, device, request.truncates):
        need = f"be for {list(logits.shape)} on {device}" + ", with `truncates`" * request.truncates
        raise refuse("workspace", need, (*workspace.size, str(workspace.device), workspace.truncates))
    if device.type == "cpu":
        host.run(request, drawn, None if workspace is None else workspace.host)
    else:
        _run_on_device(request, drawn, workspace)
    return drawn


def _run_on_device(request: SampleRequest, out: Sampled, workspace: Workspace | None) -> None:
    device = request.logits.device
    check_gpu(device)
    from . import device as kernels  # noqa: PLC0415 (Triton is there on Linux only)

    if workspace is None:
        workspace = new_workspace(request.num_rows, request.vocabulary, device, request.truncates)
    with torch.cuda.device(device):
        kernels.run(request, workspace, out)


def warm_up(device: torch.device | str, *, vocabulary: int, dtype: torch.dtype = torch.bfloat16) -> None:
    """Compiles what `sample` launches on a GPU for logits of this many columns and this dtype, and waits for it.

    Without this, the first call of each kind compiles its kernels, which takes tens of seconds, and cannot be captured.
    Triton keeps them on disk. Parameters may be numbers, or float32, int32 and int64 tensors.
    """
    S = 2
    logits = torch.zeros(S, vocabulary, dtype=dtype, device=device)
    zeros = torch.zeros(S, dtype=torch.int64, device=device)
    allowed = torch.full((S, (vocabulary + 31) // 32), -1, dtype=torch.int32, device=device)
    edits = edits_of([{0: 1.0}] * S, device=device)
    for changes in ({}, {"allowed": allowed, "edits": edits}):
        for settings in ({}, {"top_k": 1}, {"top_logprobs": 1}, {"top_k": 1, "top_logprobs": 1}):
            sample(logits, seeds=zeros, positions=zeros, **changes, **settings)
    if logits.device.type == "cuda":
        torch.cuda.synchronize(logits.device)


def _checked_out(request: SampleRequest, out: Sampled) -> Sampled:
    for name, dtype in DTYPES.items():
        have, is_top = getattr(out, name), name.startswith("top_")
        shape = (request.num_rows, request.top_logprobs) if is_top else (request.num_rows,)
        if is_top and not request.top_logprobs:
            is_right = have is None
        else:
            is_right = have is not None and have.dtype == dtype and have.shape == shape
        if not is_right:
            raise refuse(f"out.{name}", "be as `new_sampled` makes it for this call", have)
        if have is not None and (have.device != request.logits.device or not have.is_contiguous()):
            raise refuse(f"out.{name}", f"be contiguous and on {request.logits.device}", str(have.device))
    return out

"""`genlib.kernels.beam_step`: one token of every beam search, from logits on a GPU or the CPU (docs/kernels.md)."""

from __future__ import annotations

import torch

from genlib.checks import refuse

from ..row.logits import check_gpu, check_rows
from . import host
from .search import Search
from .searches import Searches, new_searches
from .workspace import BeamWorkspace, new_beam_workspace


def beam_step(logits: torch.Tensor, searches: Searches, workspace: BeamWorkspace | None = None) -> None:
    """Moves every search that is not done on by one token, from its beams' logits.

    logits [S, V] float32, bfloat16 or float16: one row for each beam of each search, search after search; rows may lie
    apart. The rows of a search that is done, or has a status, are not read.

    workspace: the caller's, which saves making one in each step. On a GPU nothing waits for the host, so a call with
    a workspace can be captured in a graph. InvalidRequest (a ValueError) names what is wrong; what tensors on a GPU
    hold is not checked: a search's status says if its logits cannot be searched.
    """
    _check(logits, searches)
    device = logits.device
    S, V = logits.shape
    if workspace is not None and not workspace.fits(S, V, device):
        raise refuse("workspace", f"be for {[S, V]} on {device}", (*workspace.size, str(workspace.device)))
    if device.type == "cpu":
        if workspace is None:
            host.run(logits, searches)
        else:
            host.run(logits, searches, workspace.host, workspace.arrays)
        return
    check_gpu(device)
    from . import device as kernels  # noqa: PLC0415 (Triton is there on Linux only)

    if workspace is None:
        workspace = new_beam_workspace(S, V, device)
    with torch.cuda.device(device):
        kernels.run(logits, searches, workspace)


def warm_up_beams(
    device: torch.device | str,
    *,
    vocabulary: int,
    num_beams: int = 4,
    num_eos: int = 1,
    dtype: torch.dtype = torch.bfloat16,
) -> None:
    """Compiles what `beam_step` launches on a GPU for logits of this many columns and this dtype, and waits for it.

    num_beams: of the widest search; num_eos: tokens that end a text. Without this, the first step compiles its kernels,
    which takes tens of seconds, and cannot be captured. Triton keeps them on disk.
    """
    search = Search(num_beams=num_beams, max_length=1)
    searches = new_searches([search], vocabulary=vocabulary, eos_ids=range(num_eos), device=device)
    logits = torch.zeros(num_beams, vocabulary, dtype=dtype, device=device)
    beam_step(logits, searches)
    if logits.device.type == "cuda":
        torch.cuda.synchronize(logits.device)


def _check(logits: torch.Tensor, searches: Searches) -> None:
    if not isinstance(searches, Searches):
        raise refuse("searches", "be `Searches`, as `new_searches` makes them", searches)
    shape = (searches.num_rows, searches.vocabulary)
    if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != shape:
        got = list(logits.shape) if isinstance(logits, torch.Tensor) else logits
        raise refuse("logits", f"be a tensor {list(shape)}: a row for each beam", got)
    check_rows(logits)
    if logits.device != searches.device:
        raise refuse("logits", f"be on the device of the searches, {searches.device}", str(logits.device))

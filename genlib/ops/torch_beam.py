"""The beam step in torch: the best next tokens of all beams are found on the device; with these few the search goes on
as in `reference_beam`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .reference_beam import Best, advance_all
from .reference_mass import PEAK_MASS, natural_log
from .searches import SearchBuffers
from .torch_sampling import model_total, without_nan


def log_softmax(x: Tensor) -> Tensor:
    """`SamplerOutput.logprob` of each token, for one row [V] without NaN, with a finite maximum."""
    peak = x.max()
    distance = x.double() - peak.double()
    return (distance - natural_log(float(model_total(x, peak)) / float(PEAK_MASS))).float()


def best(rows: Tensor, scores: np.ndarray, count: int) -> Best | int:
    """The best of all next tokens of beams with these scores [K], or the worst status of their rows [K, V]."""
    x = without_nan(rows)
    peaks = x.amax(dim=1)
    if not peaks.isfinite().all():
        return 2 if bool((peaks == torch.inf).any()) else 1
    sums = torch.stack([log_softmax(row) for row in x]) + torch.from_numpy(scores).to(x.device)[:, None]
    order = torch.sort(-sums.flatten(), stable=True).indices[:count]
    found = sums.flatten()[order].cpu().numpy()
    return [(*divmod(i, x.shape[1]), score) for i, score in zip(order.tolist(), found, strict=True)]


def beam_step(logits: Tensor, s: SearchBuffers) -> None:
    """`Ops.beam_step`. logits [R, V]."""
    advance_all(s, lambda rows, scores, count: best(logits[rows], scores, count))

"""The sampler in torch: what is done for each token of the vocabulary is done on the device, exactly as in
`reference_sampling` and `reference_mass`; what is left, for one token or one sum, is done by these.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .buffers import RowParams, SamplerOutput
from .reference_mass import (
    COEFFICIENTS,
    MODEL_SCALE,
    PEAK_MASS,
    ROUND,
    ROUND_BITS,
    natural_log,
    probability,
    random_word,
)
from .reference_sampling import Outcome, Row, row_of, write

_ROUND, _COEFFICIENTS = float(ROUND), [float(c) for c in COEFFICIENTS]


def without_nan(logits: Tensor) -> Tensor:
    """Logits as float32, exactly, with −inf in the place of NaN."""
    x = logits.float()
    return x.masked_fill(x.isnan(), -torch.inf)


def exponents(x: Tensor, peak: Tensor, scale: np.float32) -> Tensor:
    """y = (x − peak) · scale, each operation rounded to float32."""
    return (x - peak) * float(scale)


def masses(y: Tensor) -> Tensor:
    """The fixed-point masses, int64; 0 for −inf and NaN."""
    t = y + _ROUND
    f = y - (t - _ROUND)
    p = torch.full_like(f, _COEFFICIENTS[5])
    for c in _COEFFICIENTS[4::-1]:
        p = p * f
        p = p + c
    shift = ((int(ROUND_BITS) - t.view(torch.int32).long()) & 0xFFFFFFFF).clamp(max=63)
    return ((p.view(torch.int32).long() & 0x00FFFFFF) << 17) >> shift


def model_total(x: Tensor, peak: Tensor) -> int:
    """The sum of a row's masses under the model."""
    return int(masses(exponents(x, peak, MODEL_SCALE)).sum())


def processed(x: Tensor, row: Row) -> Tensor:
    """Logits after mask, bias and the three penalties, before temperature. x [V], without NaN."""
    z = x.clone()
    if row.allowed is not None:
        z = z.masked_fill(~torch.from_numpy(row.allowed).to(x.device), -torch.inf)
    if row.edits:
        tokens, biases, seen = (torch.tensor(np.array(column)).to(x.device) for column in zip(*row.edits, strict=True))
        value = z[tokens] + biases
        scaled = torch.where(value > 0, value / float(row.repetition), value * float(row.repetition))
        value = torch.where(seen >= 0, scaled, value)
        lowered = (value - float(row.presence)) - seen.float() * float(row.frequency)
        z[tokens] = torch.where(seen > 0, lowered, value)
    return z


def order_of(z: Tensor) -> Tensor:
    """The ids of the tokens with finite values, largest value first; ties go to the lower id."""
    order = torch.sort(-(z + 0.0), stable=True).indices
    return order[: int((z > -torch.inf).sum())]


def kept_order(z: Tensor, y: Tensor, m: Tensor, row: Row) -> Tensor:
    """The ids kept by top-k, top-p and min-p, largest value first."""
    order = order_of(z)
    if row.top_k:
        order = order[: row.top_k]
    if row.top_p:
        running = m[order].cumsum(0)
        target = max(1, -(-(row.top_p * int(running[-1])) >> 32))
        order = order[: int(torch.searchsorted(running, target)) + 1]
    return order[y[order] >= float(row.min_p)]


def _choose(z: Tensor, peak: Tensor, row: Row) -> tuple[int, np.float32, int]:
    """The token, its probability under the distribution sampled from, and the number kept."""
    if row.scale == 0:
        greedy = int((z == peak).nonzero()[0])
        token = row.forced if row.forced >= 0 else greedy
        return token, np.float32(token == greedy), 1
    y = exponents(z, peak, row.scale)
    m = masses(y)
    kept = kept_order(z, y, m, row).sort().values
    running = m[kept].cumsum(0)
    total = int(running[-1])
    token = row.forced
    if token < 0:
        r = random_word(row.seed, row.stream, row.position) * total >> 64
        token = int(kept[torch.searchsorted(running, r, right=True)])
    found = bool((kept == token).any())
    return token, probability(np.float32(y[token].item()), total) if found else np.float32(0), len(kept)


def _model_view(x: Tensor, peak: Tensor, total: int, token: int) -> tuple[np.float32, np.float32]:
    """Probability and logprob of a token under the model."""
    y = np.float32(exponents(x[token], peak, MODEL_SCALE).item())
    distance = x[token].item() - peak.item()
    return probability(y, total), np.float32(distance - natural_log(float(total) / float(PEAK_MASS)))


def sample_row(logits: Tensor, row: Row) -> Outcome:
    """Samples one row. logits [V]: the model's, unmodified."""
    x = without_nan(logits)
    z = processed(x, row)
    model_peak, peak = x.max(), z.max()
    if max(model_peak.item(), peak.item()) == np.inf:
        return Outcome(status=2)
    if peak.item() == -np.inf:
        return Outcome(status=1)
    token, sampling, num_kept = _choose(z, peak, row)
    total = model_total(x, model_peak)
    top = order_of(x)[: row.top_n].tolist() if row.top_n else ()
    views = tuple((v, *_model_view(x, model_peak, total, v)) for v in top)
    return Outcome(0, token, *_model_view(x, model_peak, total, token), sampling, num_kept, views)


def sample(logits: Tensor, params: RowParams, num_sampled: int, out: SamplerOutput) -> None:
    """`Ops.sample` for the first `num_sampled` rows. logits [R, V]."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        for r in range(num_sampled):
            row = row_of(params, r, logits.shape[1])
            write(sample_row(logits[r], row), r, row.top_n, out)

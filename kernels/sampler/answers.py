"""What a row answers: the model's own view of a token, and the outputs."""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from ..row.mass import C0, INFINITY, MODEL_SCALE, PEAK_MASS, ROUND_BITS, natural_log, powers, probability
from ..row.tiles import WIDEST, load_values, num_tiles, row_sum


class Outputs(NamedTuple):
    """The fields of `Sampled`, [S] each, and those of the most likely tokens, [S, N]."""

    token: Any
    probability: Any
    logprob: Any
    sampling_probability: Any
    num_kept: Any
    status: Any
    top_tokens: Any
    top_probabilities: Any
    top_logprobs: Any


class Answer(NamedTuple):
    """A row's token, and what is known of it without the model's view. Scalars."""

    status: Any
    token: Any
    sampling_probability: Any
    num_kept: Any


@triton.jit
def status_of(raw_peak, peak):
    """0; 1: nothing finite is allowed; 2: something is +inf."""
    infinite = (raw_peak == INFINITY) | (peak == INFINITY)
    return tl.where(infinite, 2, tl.where(peak == -INFINITY, 1, 0))


@triton.jit
def model_total(work, s, tiles, raw_peak):
    """The sum of the row's masses under the model, float64, and that as a multiple of the first token's mass.

    At temperature 1 it is that of the masses, else it comes from float sums: equal to about 1e-6. Which it is, and
    each bit, is up to the row alone.
    """
    total = tl.full((), PEAK_MASS, tl.float64)
    ratio = tl.full((), 1.0, tl.float64)
    if tl.load(work.scale + s) == MODEL_SCALE:
        total = row_sum(work.raw_mass, s, tiles).to(tl.float64)
        ratio = total / PEAK_MASS
    else:
        tile = tl.arange(0, WIDEST)
        tile_peak = tl.load(work.raw_peak + s * tiles + tile, mask=tile < tiles, other=-INFINITY)
        tile_sum = tl.load(work.raw_sum + s * tiles + tile, mask=tile < tiles, other=0.0)
        y = (tile_peak - raw_peak) * MODEL_SCALE
        p, t = powers(y)
        # 2^(y + 1/2), by lowering the exponent of p.
        n = t.to(tl.int32, bitcast=True) - ROUND_BITS
        power = (p.to(tl.int32, bitcast=True) + (n << 23)).to(tl.float32, bitcast=True)
        ratio = tl.sum(tl.where(y > -100, tile_sum * power, 0.0).to(tl.float64)) / C0
        total = ratio * PEAK_MASS
    return total, ratio


@triton.jit
def model_view(x, raw_peak, total, log_ratio):
    """Probability and logprob under the model of tokens whose logits are x."""
    likely = probability((x - raw_peak) * MODEL_SCALE, total)
    return likely, ((x.to(tl.float64) - raw_peak.to(tl.float64)) - log_ratio).to(tl.float32)


@triton.jit
def write_row(logits, work, out, s, raw_peak, answer):
    """Writes all outputs of a row but the top_ ones; for a row without a result, what the contract says of one."""
    likely = tl.full((), 0.0, tl.float32)
    log = tl.full((), -INFINITY, tl.float32)
    if answer.status == 0:
        total, ratio = model_total(work, s, num_tiles(logits), raw_peak)
        x = load_values(logits, s, answer.token)
        likely, log = model_view(x, raw_peak, total, natural_log(ratio))
    tl.store(out.token + s, answer.token.to(tl.int64))
    tl.store(out.probability + s, likely)
    tl.store(out.logprob + s, log)
    tl.store(out.sampling_probability + s, answer.sampling_probability)
    tl.store(out.num_kept + s, answer.num_kept)
    tl.store(out.status + s, answer.status)

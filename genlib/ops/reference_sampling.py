"""The sampler in plain numpy: the specification, which every implementation matches bit for bit (docs/kernels.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arrays import Buffer, Float32
from .buffers import RowParams, SamplerOutput
from .reference_mass import MODEL_SCALE, PEAK_MASS, Masses, exponents, masses, natural_log, probability, random_word

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Row:
    """The parameters of one row, as in `RowParams`.

    allowed: the row's mask, unpacked to [V]. edits: its (token, bias, seen).
    """

    scale: np.float32
    top_k: int
    top_p: int
    min_p: np.float32
    seed: int
    stream: int
    position: int
    forced: int
    allowed: Mask | None
    top_n: int
    repetition: np.float32
    presence: np.float32
    frequency: np.float32
    edits: tuple[tuple[int, np.float32, int], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of `SamplerOutput`. The defaults are those of a row without a result."""

    status: int
    token: int = -1
    probability: np.float32 = np.float32(0)  # noqa: RUF009
    logprob: np.float32 = np.float32(-np.inf)  # noqa: RUF009
    sampling_probability: np.float32 = np.float32(0)  # noqa: RUF009
    num_kept: int = 0
    top: tuple[tuple[int, np.float32, np.float32], ...] = ()  # token, probability, logprob


def widened(logits: Buffer) -> Float32:
    """Logits as float32, exactly. uint16 elements are the bits of bfloat16."""
    if logits.dtype == np.uint16:
        bits: npt.NDArray[np.uint32] = logits.astype(np.uint32) << np.uint32(16)
        return bits.view(np.float32)
    wide: Float32 = logits.astype(np.float32)
    return wide


def processed(x: Float32, row: Row) -> Float32:
    """Logits after mask, bias and the three penalties, before temperature. x [V], without NaN."""
    z: Float32 = x.copy() if row.allowed is None else np.where(row.allowed, x, np.float32(-np.inf))
    for token, bias, seen in row.edits:
        value = z[token] + bias
        if seen >= 0:
            value = value / row.repetition if value > 0 else value * row.repetition
        if seen > 0:
            value = (value - row.presence) - row.frequency * np.float32(seen)
        z[token] = value
    return z


def order_of(z: Float32) -> npt.NDArray[np.intp]:
    """The ids of the tokens with finite values, largest value first; ties go to the lower id."""
    order = np.argsort(-(z + np.float32(0)), kind="stable")
    return order[: np.count_nonzero(z > -np.inf)]


def kept_order(z: Float32, y: Float32, m: Masses, row: Row) -> npt.NDArray[np.intp]:
    """The ids kept by top-k, top-p and min-p, largest value first: a prefix of order_of(z). z, y, m [V]."""
    order = order_of(z)
    if row.top_k:
        order = order[: row.top_k]
    if row.top_p:
        running = np.cumsum(m[order])
        target = max(1, -(-(row.top_p * int(running[-1])) >> 32))
        order = order[: int(np.searchsorted(running, np.uint64(target))) + 1]
    return order[y[order] >= row.min_p]


def _choose(z: Float32, peak: np.float32, row: Row) -> tuple[int, np.float32, int]:
    """The token, its probability under the distribution sampled from, and the number kept. z [V], finite peak."""
    if row.scale == 0:
        greedy = int(np.argmax(z == peak))
        token = row.forced if row.forced >= 0 else greedy
        return token, np.float32(token == greedy), 1
    y = exponents(z, peak, row.scale)
    m = masses(y)
    kept = np.sort(kept_order(z, y, m, row))
    running = np.cumsum(m[kept])
    total = int(running[-1])
    token = row.forced
    if token < 0:
        r = random_word(row.seed, row.stream, row.position) * total >> 64
        token = int(kept[np.searchsorted(running, np.uint64(r), side="right")])
    return token, probability(y[token], total) if token in kept else np.float32(0), len(kept)


def _model_view(x: Float32, peak: np.float32, total: int, token: int) -> tuple[np.float32, np.float32]:
    """Probability and logprob of a token under the model."""
    y = exponents(x[token : token + 1], peak, MODEL_SCALE)[0]
    distance = float(x[token]) - float(peak)
    return probability(y, total), np.float32(distance - natural_log(float(total) / float(PEAK_MASS)))


def sample_row(logits: Buffer, row: Row) -> Outcome:
    """Samples one row. logits [V]: the model's, unmodified."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        wide = widened(logits)
        x = np.where(np.isnan(wide), np.float32(-np.inf), wide)
        z = processed(x, row)
        model_peak, peak = x.max(), z.max()
        if max(model_peak, peak) == np.inf:
            return Outcome(status=2)
        if peak == -np.inf:
            return Outcome(status=1)
        token, sampling, num_kept = _choose(z, peak, row)
        total = int(masses(exponents(x, model_peak, MODEL_SCALE)).sum(dtype=np.uint64))
        top = order_of(x)[: row.top_n].tolist() if row.top_n else ()
        views = tuple((v, *_model_view(x, model_peak, total, v)) for v in top)
        return Outcome(0, token, *_model_view(x, model_peak, total, token), sampling, num_kept, views)


def row_of(params: RowParams, r: int, vocabulary: int) -> Row:
    """The parameters of row r."""
    allowed = None
    if params.mask[r] >= 0:
        words = np.ascontiguousarray(params.masks[params.mask[r]])
        allowed = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")[:vocabulary].astype(bool)
    entries = slice(params.edit_start[r], params.edit_start[r] + params.edit_count[r])
    edits = zip(params.edit_token[entries], params.edit_bias[entries], params.edit_seen[entries], strict=True)
    return Row(
        scale=params.scale[r],
        top_k=int(params.top_k[r]),
        top_p=int(params.top_p[r]),
        min_p=params.min_p[r],
        seed=int(params.seed[r]),
        stream=int(params.stream[r]),
        position=int(params.position[r]),
        forced=int(params.forced[r]),
        allowed=allowed,
        top_n=int(params.top_n[r]),
        repetition=params.repetition[r],
        presence=params.presence[r],
        frequency=params.frequency[r],
        edits=tuple((int(token), bias, int(seen)) for token, bias, seen in edits),
    )


def write(outcome: Outcome, r: int, top_n: int, out: SamplerOutput) -> None:
    """Writes row r of the output."""
    out.token[r] = outcome.token
    out.probability[r] = outcome.probability
    out.logprob[r] = outcome.logprob
    out.sampling_probability[r] = outcome.sampling_probability
    out.num_kept[r] = outcome.num_kept
    out.status[r] = outcome.status
    none = (-1, np.float32(0), np.float32(-np.inf))
    for i in range(top_n):
        view = outcome.top[i] if i < len(outcome.top) else none
        out.top_token[r, i], out.top_probability[r, i], out.top_logprob[r, i] = view


def sample(logits: Buffer, params: RowParams, num_sampled: int, out: SamplerOutput) -> None:
    """`Ops.sample` for the first `num_sampled` rows. logits [R, V]."""
    for r in range(num_sampled):
        row = row_of(params, r, logits.shape[1])
        write(sample_row(logits[r], row), r, row.top_n, out)

"""What others do, from raw logits to a token and its probability: torch, transformers, FlashInfer, vLLM.

A peer tells the probability that it has anyway, under the distribution drawn from; genlib the model's as well.
FlashInfer and vLLM need a GPU and are driven by what their documentation says: nobody has run these two here yet.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

from .cells import Cell, Setting
from .contestant import Contestant, Draw, Result
from .own import HALF, edits_of


def race(p: torch.Tensor) -> torch.Tensor:
    """A draw from each row of p [S, V] without waiting for the device: the least of exponential times (Gumbel-max)."""
    return (p / torch.empty_like(p).exponential_()).argmax(-1, keepdim=True)


def drawn(p: torch.Tensor, ids: torch.Tensor | None = None) -> Result:
    """From probabilities [S, n] of ids [S, n]. torch.multinomial waits for the device, so a GPU races instead."""
    place = race(p) if p.is_cuda else torch.multinomial(p, 1)
    token = place if ids is None else ids.gather(1, place)
    return token[:, 0], p.gather(1, place)[:, 0]


def greedy(logits: torch.Tensor) -> Result:
    x = logits.float()
    best = x.max(-1)
    return best.indices, (best.values - x.logsumexp(-1)).exp()


def nucleus(ordered: torch.Tensor, top_p: float) -> torch.Tensor:
    """Probabilities [S, n] in descending order, those behind the nucleus 0, summing to 1."""
    kept = torch.where(ordered.cumsum(-1) - ordered < top_p, ordered, 0)
    return kept / kept.sum(-1, keepdim=True)


class Changes:
    """Mask, bias and penalties on a copy of the logits, by indexing: the same tokens in every row."""

    def __init__(self, cell: Cell, device: str) -> None:
        edits = edits_of(cell, device)
        self._tokens, self._bias, self._seen = edits.token.long(), edits.bias, edits.seen
        ids = torch.arange(cell.V)
        self._forbidden = ((HALF >> (ids % 32)) & 1 == 0).to(device)

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        x = logits.float() + 0.0
        z = x[:, self._tokens] + self._bias
        z = torch.where(self._seen >= 0, torch.where(z > 0, z / 1.1, z * 1.1), z)
        z = torch.where(self._seen > 0, z - 0.5 - 0.25 * self._seen, z)
        x[:, self._tokens] = z
        return x.masked_fill_(self._forbidden, -torch.inf)


def with_torch(cell: Cell, device: str) -> Draw:
    """Top-k by topk, and top-p by a sort of what is left of it: of everything only without top-k."""
    setting = cell.setting
    if setting.temperature == 0:
        return greedy
    change = Changes(cell, device) if setting.edits else torch.Tensor.float

    def draw(logits: torch.Tensor) -> Result:
        if setting.top_n:
            logits.float().log_softmax(-1).topk(setting.top_n)
        x = change(logits) / setting.temperature
        if not setting.top_k and setting.top_p == 1:
            return drawn(x.softmax(-1))
        best = x.topk(setting.top_k) if setting.top_k else x.sort(descending=True)
        p = best.values.softmax(-1)
        return drawn(nucleus(p, setting.top_p) if setting.top_p < 1 else p, best.indices)

    return draw


def with_race(cell: Cell, device: str) -> Draw | None:  # noqa: ARG001
    """Softmax and exponential race over the whole vocabulary, for a temperature alone."""
    setting = cell.setting
    if not setting.temperature or setting.top_k or setting.top_p < 1:
        return None

    def draw(logits: torch.Tensor) -> Result:
        p = (logits.float() / setting.temperature).softmax(-1)
        token = race(p)
        return token[:, 0], p.gather(1, token)[:, 0]

    return draw


def with_transformers(cell: Cell, device: str) -> Draw | None:
    """What `generate` does with logits: its warpers, softmax and multinomial."""
    from transformers.generation import logits_process as warpers  # noqa: PLC0415 (slow to import, and optional)

    setting = cell.setting
    if setting.edits:
        return None
    chain = warpers.LogitsProcessorList()
    if setting.temperature:
        chain.append(warpers.TemperatureLogitsWarper(setting.temperature))
    if setting.top_k:
        chain.append(warpers.TopKLogitsWarper(setting.top_k))
    if setting.top_p < 1:
        chain.append(warpers.TopPLogitsWarper(setting.top_p))
    ids = torch.zeros(cell.S, 1, dtype=torch.int64, device=device)

    def draw(logits: torch.Tensor) -> Result:
        if not setting.temperature:
            return greedy(logits)
        p = chain(ids, logits.to(torch.float32, copy=True)).softmax(-1)
        token = torch.multinomial(p, 1)
        return token[:, 0], p.gather(1, token)[:, 0]

    return draw


def with_flashinfer(cell: Cell, device: str) -> Draw | None:  # noqa: ARG001
    """Its softmax, then its sampling from probabilities; both cuts at once from logits, which tells no probability."""
    from flashinfer import sampling  # noqa: PLC0415

    setting, seed = cell.setting, {"seed": 1, "offset": 0}
    if not setting.temperature or setting.edits:
        return None
    kinds: dict[tuple[bool, bool], Any] = {
        (False, False): sampling.sampling_from_probs,
        (True, False): lambda p, **seed: sampling.top_k_sampling_from_probs(p, setting.top_k, **seed),
        (False, True): lambda p, **seed: sampling.top_p_sampling_from_probs(p, setting.top_p, **seed),
    }
    take = kinds.get((setting.top_k > 0, setting.top_p < 1))

    def draw(logits: torch.Tensor) -> Result:
        if take is None:
            x = logits.float() / setting.temperature
            return sampling.top_k_top_p_sampling_from_logits(x, setting.top_k, setting.top_p, **seed), None
        p = sampling.softmax(logits.float(), temperature=setting.temperature)
        return take(p, **seed), None

    return draw


def with_vllm(cell: Cell, device: str) -> Draw | None:
    """Its Triton kernel for top-k and top-p, which masks in place, then its softmax and race."""
    from vllm.v1.sample.ops.topk_topp_triton import apply_top_k_top_p_triton  # noqa: PLC0415

    setting = cell.setting
    if setting.edits or not (setting.top_k or setting.top_p < 1):
        return None
    k, p = _vllm_parameters(setting, cell.S, device)

    def draw(logits: torch.Tensor) -> Result:
        kept = apply_top_k_top_p_triton(logits.float() / setting.temperature, k, p)
        probabilities = kept.softmax(-1)
        token = race(probabilities)
        return token[:, 0], probabilities.gather(1, token)[:, 0]

    return draw


def _vllm_parameters(setting: Setting, S: int, device: str) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    full = functools.partial(torch.full, (S,), device=device)
    k = full(setting.top_k, dtype=torch.int32) if setting.top_k else None
    return k, full(setting.top_p, dtype=torch.float32) if setting.top_p < 1 else None


def peers(device: str) -> list[Contestant]:
    everywhere = [
        Contestant("torch", "torch", with_torch),
        Contestant("race", "torch", with_race),
        Contestant("transformers", "transformers", with_transformers, captures=False),
    ]
    gpus = [Contestant("FlashInfer", "flashinfer", with_flashinfer), Contestant("vLLM", "vllm", with_vllm)]
    return everywhere + gpus if device == "cuda" else everywhere

"""The names of the weights: ours, with fused projections, and those of a Llama checkpoint."""

from __future__ import annotations

import torch
from model import Shape
from torch import Tensor

_WHOLE = {"embedding.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight"}


def _fused(shape: Shape) -> dict[str, dict[str, int]]:
    """For each of our matrices of a block: the checkpoint's names and how many rows belong to each."""
    query, key = shape.H * shape.D, shape.G * shape.D
    return {
        "attention_norm": {"input_layernorm": shape.C},
        "qkv": {"self_attn.q_proj": query, "self_attn.k_proj": key, "self_attn.v_proj": key},
        "out": {"self_attn.o_proj": shape.C},
        "feed_norm": {"post_attention_layernorm": shape.C},
        "gate_up": {"mlp.gate_proj": shape.F, "mlp.up_proj": shape.F},
        "down": {"mlp.down_proj": shape.C},
    }


def to_llama(state: dict[str, Tensor], shape: Shape) -> dict[str, Tensor]:
    """The checkpoint's tensors of a decoder's state; the tied head is not among them."""
    tensors = {theirs: state[ours] for ours, theirs in _WHOLE.items()}
    for index in range(shape.L):
        for ours, parts in _fused(shape).items():
            cut = state[f"blocks.{index}.{ours}.weight"].split(list(parts.values()))
            names = (f"model.layers.{index}.{name}.weight" for name in parts)
            tensors |= dict(zip(names, cut, strict=True))
    return tensors


def from_llama(tensors: dict[str, Tensor], shape: Shape) -> dict[str, Tensor]:
    """A decoder's state of the checkpoint's tensors: the inverse of `to_llama`."""
    state = {ours: tensors[theirs] for ours, theirs in _WHOLE.items()}
    for index in range(shape.L):
        for ours, parts in _fused(shape).items():
            cut = [tensors[f"model.layers.{index}.{name}.weight"] for name in parts]
            state[f"blocks.{index}.{ours}.weight"] = torch.cat(cut)
    return state

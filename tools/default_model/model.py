"""The default model for training: a Llama decoder in plain torch, with fused projections."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes in the words of the design: C width, H query heads, G key/value heads, D head size, F, V, L."""

    C: int = 192
    L: int = 6
    H: int = 6
    G: int = 2
    D: int = 32
    F: int = 512
    V: int = 4096
    context: int = 1024
    eps: float = 1e-5
    theta: float = 10000.0


class RmsNorm(nn.Module):
    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding, halves apart: x[B, heads, T, D], cos and sin [T, D/2]."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention of q[B, H, T, D] over k, v[B, G, T, D] -> [B, H, T, D].

    Written as two batched products with the heads of a group stacked as rows: on a CPU, with a head size of 32
    and short rows, that is twice as fast as the fused attention of torch, whose backward is slow there.
    """
    rows, heads, length, size = q.shape
    groups = k.shape[1]
    stacked = q.reshape(rows * groups, heads // groups * length, size) * size**-0.5
    mask = torch.full((length, length), -1e4, dtype=q.dtype, device=q.device).triu(1)
    scores = torch.bmm(stacked, k.reshape(rows * groups, length, size).transpose(1, 2))
    weights = torch.softmax(scores + mask.repeat(heads // groups, 1), dim=-1, dtype=q.dtype)
    return torch.bmm(weights, v.reshape(rows * groups, length, size)).view(rows, heads, length, size)


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.attention_norm = RmsNorm(shape.C, shape.eps)
        self.qkv = nn.Linear(shape.C, (shape.H + 2 * shape.G) * shape.D, bias=False)
        self.out = nn.Linear(shape.H * shape.D, shape.C, bias=False)
        self.feed_norm = RmsNorm(shape.C, shape.eps)
        self.gate_up = nn.Linear(shape.C, 2 * shape.F, bias=False)
        self.down = nn.Linear(shape.F, shape.C, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        s, (rows, length, _) = self.shape, x.shape
        qkv = self.qkv(self.attention_norm(x)).view(rows, length, s.H + 2 * s.G, s.D).transpose(1, 2)
        qk = rotate(qkv[:, : s.H + s.G], cos, sin)
        mixed = attend(qk[:, : s.H], qk[:, s.H :], qkv[:, s.H + s.G :])
        x = x + self.out(mixed.transpose(1, 2).reshape(rows, length, s.H * s.D))
        gate, up = self.gate_up(self.feed_norm(x)).chunk(2, dim=-1)
        return x + self.down(functional.silu(gate) * up)


class Decoder(nn.Module):
    """Logits[B, T, V] of ids[B, T], T at most `shape.context`; the head is the embedding."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.V, shape.C)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.L))
        self.norm = RmsNorm(shape.C, shape.eps)
        frequencies = shape.theta ** (-torch.arange(0, shape.D, 2, dtype=torch.float32) / shape.D)
        angles = torch.arange(shape.context, dtype=torch.float32)[:, None] * frequencies
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                deep = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * shape.L) ** 0.5 if deep else 0.02)

    def hidden(self, ids: Tensor) -> Tensor:
        """The normed residual stream [B, T, C]."""
        x = self.embedding(ids)
        if torch.is_autocast_enabled(ids.device.type):
            x = x.to(torch.bfloat16)
        cos, sin = (t[: ids.shape[1]].to(x.dtype) for t in (self.cos, self.sin))
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.norm(x)

    def forward(self, ids: Tensor) -> Tensor:
        return functional.linear(self.hidden(ids), self.embedding.weight)

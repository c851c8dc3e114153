"""The decoder of Llama and related models: what a step does, operation by operation.

    embed → per layer: [norm → q, k, v → rotate, write to pages → attend → output → add, norm → gate, up →
    silu · → down → add] → norm → rows whose logits are needed → head → sample, or advance the beams

A step is recorded once for each batch size and run in one call: of this file, only `launch` and `wait` run
per step.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .._native import PAGE_SIZE
from ..checkpoint.config import ModelConfig, rope_tables
from ..checkpoint.weights import Checkpoint
from ..ops.arrays import Buffer, Float32, Int32
from ..ops.base import HeadShape, Ops, Step, Weight
from ..ops.buffers import StepBuffers


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of one layer. q, k and v are stacked, as are gate and up."""

    attention_norm: Buffer  # [C]
    qkv: Weight  # [(H + 2G) · D, C]
    qk_norms: tuple[Buffer, Buffer] | None  # [D] each
    output: Weight  # [C, H · D]
    mlp_norm: Buffer  # [C]
    gate_up: Weight  # [2F, C]
    down: Weight  # [C, F]


class Decoder:
    """A checkpoint on a device. Implements model.base.Model."""

    def __init__(self, config: ModelConfig, checkpoint: Checkpoint, ops: Ops, dtype: str) -> None:
        self.config = config
        self.vocab_size = config.vocab_size
        self.context_length = config.max_positions
        self._ops = ops
        self._shape = HeadShape(config.layers, config.heads, config.kv_heads, config.head_size)
        self._pack, self._vector = _readers(checkpoint, ops, dtype)
        self._embedding = self._pack(["model.embed_tokens"])
        self._head = self._embedding if config.tied else self._pack(["lm_head"])
        self._norm = self._vector("model.norm")
        self._layers = [self._layer(f"model.layers.{i}") for i in range(config.layers)]

    def _layer(self, name: str) -> Layer:
        attn, mlp = f"{name}.self_attn", f"{name}.mlp"
        norms = None
        if self.config.qk_norm:
            norms = (self._vector(f"{attn}.q_norm"), self._vector(f"{attn}.k_norm"))
        return Layer(
            attention_norm=self._vector(f"{name}.input_layernorm"),
            qkv=self._pack([f"{attn}.{x}_proj" for x in "qkv"]),
            qk_norms=norms,
            output=self._pack([f"{attn}.o_proj"]),
            mlp_norm=self._vector(f"{name}.post_attention_layernorm"),
            gate_up=self._pack([f"{mlp}.gate_proj", f"{mlp}.up_proj"]),
            down=self._pack([f"{mlp}.down_proj"]),
        )

    @property
    def page_bytes(self) -> int:
        return self._ops.kv_bytes(self._shape)

    def prepare(self, buffers: StepBuffers, num_pages: int) -> None:
        """Allocates the pages and the activations, and records a step for each batch size."""
        ops, config = self._ops, self.config
        n, r = len(buffers.plan.ids), len(buffers.plan.rows)
        heads = config.heads * config.head_size

        def wide(*shape: int) -> Buffer:
            return ops.empty(shape, np.float32)

        def room(*shape: int) -> Buffer:
            return ops.activations(shape)

        self._buffers = buffers
        self._kv = ops.new_kv(self._shape, num_pages)
        positions = min(config.max_positions, num_pages * PAGE_SIZE)
        cos, sin = rope_tables(config, positions)
        self._rope = (ops.upload(cos), ops.upload(sin))
        self._x, self._residual = room(n, config.hidden), wide(n, config.hidden)
        self._qkv = room(n, heads + 2 * config.kv_heads * config.head_size)
        self._q, self._attended = room(n, heads), room(n, heads)
        self._gate_up, self._mlp = room(n, 2 * config.intermediate), room(n, config.intermediate)
        self._last, self._logits = room(r, config.hidden), wide(r, config.vocab_size)
        self._sizes = ops.buckets(n)
        self._steps: list[Step] = [ops.record(self._step, size) for size in self._sizes]
        self._launched = self._steps[-1]

    def launch(self, num_tokens: int) -> None:
        """Begins a step on the contents of the buffers."""
        self._launched = self._steps[bisect_left(self._sizes, num_tokens)]
        self._launched.launch()

    def wait(self) -> None:
        """Until it has ended."""
        self._launched.wait()

    def _step(self) -> None:
        ops, plan, eps = self._ops, self._buffers.plan, self.config.rms_eps
        live, x, residual = plan.num_tokens, self._x, self._residual
        ops.embed(plan.ids, self._embedding, residual, live)
        ops.rms_norm(residual, None, self._layers[0].attention_norm, eps, x, live)
        for i, layer in enumerate(self._layers):
            ops.linear(x, layer.qkv, self._qkv, live)
            ops.rope_write(self._qkv, layer.qk_norms, eps, self._rope, self._kv, i, plan, self._q)
            ops.attend(self._q, self._kv, i, plan, self._attended)
            ops.linear(self._attended, layer.output, x, live)
            ops.rms_norm(x, residual, layer.mlp_norm, eps, x, live)
            ops.linear(x, layer.gate_up, self._gate_up, live)
            ops.silu_mul(self._gate_up, self._mlp, live)
            ops.linear(self._mlp, layer.down, x, live)
            following = self._layers[i + 1].attention_norm if i + 1 < len(self._layers) else self._norm
            ops.rms_norm(x, residual, following, eps, x, live)
        ops.gather_rows(x, plan.rows, self._last, plan.num_rows)
        ops.linear(self._last, self._head, self._logits, plan.num_rows)
        ops.sample(self._logits, self._buffers.params, plan, self._buffers.output)
        ops.beam_step(self._logits, self._buffers.searches)

    def logits(self, first: int, last: int) -> Float32:
        """Rows [first, last) of the last step's logits."""
        rows: Float32 = self._logits[first:last]
        return rows

    def copy_pages(self, pairs: Int32) -> None:
        """Copies pages in order."""
        self._ops.copy_pages(self._kv, pairs)

    def close(self) -> None:
        """Releases threads and memory. The decoder cannot be used afterwards."""
        self._steps = []
        self._kv = None
        self._ops.close()


def _readers(
    checkpoint: Checkpoint, ops: Ops, dtype: str
) -> tuple[Callable[[list[str]], Weight], Callable[[str], Buffer]]:
    """Two functions that read a checkpoint: stacked matrices with their biases, and a vector."""

    def pack(names: list[str]) -> Weight:
        weights = [checkpoint.tensor(f"{name}.weight") for name in names]
        biases = [checkpoint.tensor(f"{n}.bias") for n in names if f"{n}.bias" in checkpoint.names]
        return ops.pack([w.to(dtype) for w in weights], biases)

    def vector(name: str) -> Buffer:
        return ops.upload(checkpoint.tensor(f"{name}.weight").to_float32())

    return pack, vector

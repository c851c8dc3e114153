"""What the tests of the operations share: makers of operations, weights, plans and pages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from genlib import _native
from genlib.ops.base import HeadShape
from genlib.ops.buffers import Plan
from genlib.ops.cpu import CpuOps
from genlib.ops.tensor import Tensor

W = 16
WIDTHS = tuple(_native.cpu_widths())
DTYPES: tuple[Literal["F32", "BF16", "F16"], ...] = ("F32", "BF16", "F16")
Float32 = npt.NDArray[np.float32]


@contextmanager
def cpu(threads: int = 1, width: str | None = None) -> Iterator[CpuOps]:
    ops = CpuOps(threads, width)
    try:
        yield ops
    finally:
        ops.close()


def program(ops: Any, body: Callable[[], None]) -> Callable[[], None]:
    """Records the operations that `body` calls; the function runs them, to their end."""
    step = ops.record(body, 1 << 16)

    def run() -> None:
        step.launch()
        step.wait()

    return run


def floats(rng: np.random.Generator, *shape: int) -> Float32:
    return rng.standard_normal(shape, np.float32)


def tensor(values: Float32, dtype: Literal["F32", "BF16", "F16"] = "F32", name: str = "w") -> Tensor:
    """A checkpoint's tensor; 16-bit types truncate, so its values are not quite `values`."""
    if dtype == "F32":
        return Tensor(name, dtype, values)
    if dtype == "F16":
        return Tensor(name, dtype, values.astype(np.float16).view(np.uint16))
    return Tensor(name, dtype, (values.view(np.uint32) >> 16).astype(np.uint16))


def count(n: int) -> npt.NDArray[np.int32]:
    return np.array([n], np.int32)


def nans(*shape: int) -> Float32:
    return np.full(shape, np.nan, np.float32)


def assert_same_bits(a: Float32, b: Float32) -> None:
    np.testing.assert_array_equal(a.view(np.uint32), b.view(np.uint32))


def make_plan(chunks: Sequence[tuple[int, int]], tables: Any, *, spare: int = 0) -> Plan:
    """A step of sequences that each go from `computed` to `length` positions: chunks of (computed, length).

    `spare`: query tokens and sequences of the buffers that are not live; they hold values that must not be used.
    """
    starts = np.cumsum([0, *(length - computed for computed, length in chunks)])
    positions = np.concatenate([np.arange(*chunk) for chunk in chunks] or [np.arange(0)])
    trap = np.full(spare, -(10**6))
    table = np.asarray(tables, np.int32).reshape(len(chunks), -1) if chunks else np.zeros((0, 1), np.int32)
    rubbish = np.full((spare, table.shape[1]), -(10**6), np.int32)
    ints = np.int32
    return Plan(
        num_tokens=count(len(positions)),
        num_seqs=count(len(chunks)),
        num_rows=count(0),
        num_sampled=count(0),
        ids=np.zeros(len(positions) + spare, ints),
        positions=np.concatenate([positions, trap]).astype(ints),
        starts=np.concatenate([starts, trap]).astype(ints),
        lengths=np.array([length for _, length in chunks] + [-1] * spare, ints),
        tables=np.concatenate([table, rubbish]).astype(ints),
        rows=np.zeros(1, ints),
    )


def rope_tables(positions: int, head_size: int) -> tuple[Float32, Float32]:
    angles = np.arange(positions)[:, None] * 10000.0 ** (-np.arange(0, head_size, 2) / head_size)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


class Attention:
    """One set of pages and the two operations on them, by any implementation of Ops."""

    def __init__(self, ops: Any, shape: HeadShape, num_pages: int, max_positions: int) -> None:
        self.ops, self.shape = ops, shape
        self.kv = ops.new_kv(shape, num_pages)
        if isinstance(ops, CpuOps):
            self.kv.fill(float("nan"))
        self.rope = rope_tables(max_positions, shape.head_size)

    def step(self, qkv: Float32, plan: Plan, layer: int = 0, norms: Any = None) -> Float32:
        """Writes and attends at once. qkv [N, (H + 2G) · D] → [N, H · D]."""
        q = self.write(qkv, plan, layer, norms)
        out = nans(*q.shape)
        self.ops.attend(q, self.kv, layer, plan, out)
        return out

    def write(self, qkv: Float32, plan: Plan, layer: int = 0, norms: Any = None) -> Float32:
        """Writes keys and values to the pages; the rotated queries [N, H · D]."""
        q = nans(len(qkv), self.shape.heads * self.shape.head_size)
        self.ops.rope_write(qkv, norms, 1e-6, self.rope, self.kv, layer, plan, q)
        return q


def random_qkv(rng: np.random.Generator, tokens: int, shape: HeadShape) -> Float32:
    return floats(rng, tokens, (shape.heads + 2 * shape.kv_heads) * shape.head_size)


def pages_of(length: int) -> int:
    return -(-length // W)


def available_threads() -> int:
    return len(os.sched_getaffinity(0))

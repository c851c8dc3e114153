"""The operations on the CPU: numpy buffers, computed on by `genlib._native`.

numpy arrays are passed without conversion. The native side checks each once, when an operation is recorded, and raises
ValueError with the argument's name, what it must be and what it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _native
from ..errors import BackendError
from .arrays import Float32, Int32
from .base import HeadShape
from .buffers import Plan, RowParams, SamplerOutput
from .cores import usable_cores
from .searches import SearchBuffers
from .tensor import Tensor

_ALIGNMENT = 64  # bytes: a cache line, and the widest vector


def _aligned(shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An uninitialised C-contiguous array, aligned to a cache line."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(size + _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    return room[start : start + size].view(dtype).reshape(shape)


class CpuStep:
    """A recorded step. It keeps alive the arrays that it points into."""

    __slots__ = ("_program",)

    def __init__(self, program: _native.CpuProgram) -> None:
        self._program = program

    def launch(self) -> None:
        """Runs the operations on the current contents of the buffers, without the GIL."""
        self._program.run()

    def wait(self) -> None:
        """They have ended."""


class CpuOps:
    """Implements genlib.ops.base.Ops on the CPU. Owns a team of threads until `close`.

    threads: 1 to 1024; None for all cores that the process may use. width: "avx512", "avx2" or "baseline"; None for the
    widest that the machine supports. All give the same bits. Outside `record`, an operation runs immediately. Only one
    thread may record at a time.
    """

    name = "cpu"

    def __init__(self, threads: int | None = None, width: str | None = None) -> None:
        widths = _native.cpu_widths()
        if width is not None and width not in widths:
            known = ", ".join(f'"{name}"' for name in widths)
            raise BackendError(f'`width` must be one of {known} on this machine, got "{width}"', param="width")
        self._runtime = _native.CpuRuntime(usable_cores() if threads is None else threads, width or widths[0])
        self._recording: _native.CpuProgram | None = None

    @property
    def runtime(self) -> _native.CpuRuntime:
        """The threads and the vector width, for benchmarks."""
        return self._runtime

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        return _aligned(shape, dtype)

    def activations(self, shape: Sequence[int]) -> Float32:
        return _aligned(shape, np.float32)

    def upload(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        copy = _aligned(array.shape, array.dtype)
        copy[...] = array
        return copy

    def pack(self, tensors: Sequence[Tensor], bias: Sequence[Tensor] = ()) -> _native.CpuWeight:
        dtypes = sorted({tensor.dtype for tensor in tensors})
        if len(dtypes) != 1:
            raise ValueError(f"`tensors` must have one dtype, got {', '.join(dtypes) or 'no tensor'}")
        biases = np.concatenate([tensor.to_float32() for tensor in bias]) if bias else None
        return self._runtime.pack([np.ascontiguousarray(tensor.data) for tensor in tensors], dtypes[0], biases)

    def embed(self, ids: Int32, weight: _native.CpuWeight, out: Float32, rows: Int32 | None = None) -> None:
        self._do(lambda program: program.embed(ids, weight, out, rows))

    def gather_rows(self, x: Float32, index: Int32, out: Float32, rows: Int32 | None = None) -> None:
        self._do(lambda program: program.gather_rows(x, index, out, rows))

    def linear(self, x: Float32, weight: _native.CpuWeight, out: Float32, rows: Int32 | None = None) -> None:
        self._do(lambda program: program.linear(x, weight, out, rows))

    def rms_norm(
        self,
        x: Float32,
        residual: Float32 | None,
        weight: Float32,
        eps: float,
        out: Float32,
        rows: Int32 | None = None,
    ) -> None:
        self._do(lambda program: program.rms_norm(x, residual, weight, eps, out, rows))

    def silu_mul(self, x: Float32, out: Float32, rows: Int32 | None = None) -> None:
        self._do(lambda program: program.silu_mul(x, out, rows))

    def new_kv(self, shape: HeadShape, num_pages: int) -> _native.CpuKv:
        return _native.CpuKv(shape.layers, shape.heads, shape.kv_heads, shape.head_size, num_pages)

    def kv_bytes(self, shape: HeadShape) -> int:
        return _native.cpu_page_bytes(shape.layers, shape.heads, shape.kv_heads, shape.head_size)

    def copy_pages(self, kv: _native.CpuKv, pairs: Int32) -> None:
        kv.copy_pages(pairs)

    def rope_write(
        self,
        qkv: Float32,
        norms: tuple[Float32, Float32] | None,
        eps: float,
        rope: tuple[Float32, Float32],
        kv: _native.CpuKv,
        layer: int,
        plan: Plan,
        out: Float32,
    ) -> None:
        self._do(lambda program: program.rope_write(qkv, norms, eps, rope, kv, layer, plan, out))

    def attend(self, q: Float32, kv: _native.CpuKv, layer: int, plan: Plan, out: Float32) -> None:
        self._do(lambda program: program.attend(q, kv, layer, plan, out))

    def sample(self, logits: npt.NDArray[Any], params: RowParams, plan: Plan, out: SamplerOutput) -> None:
        self._do(lambda program: program.sample(logits, params, plan, out))

    def beam_step(self, logits: Float32, searches: SearchBuffers) -> None:
        self._do(lambda program: program.beam_step(logits, searches))

    def buckets(self, limit: int) -> tuple[int, ...]:
        """One: a recorded step reads its counts when it runs, and its cost depends on them alone."""
        return (limit,)

    def record(self, body: Callable[[], None], rows: int) -> CpuStep:  # noqa: ARG002 (one program serves all)
        if self._recording is not None:
            raise RuntimeError("a step is already being recorded; calls of `record` cannot be nested")
        program = _native.CpuProgram(self._runtime)
        self._recording = program
        try:
            body()
        finally:
            self._recording = None
        return CpuStep(program)

    def close(self) -> None:
        self._runtime.close()

    def _do(self, add: Callable[[_native.CpuProgram], None]) -> None:
        if self._recording is not None:
            add(self._recording)
            return
        program = _native.CpuProgram(self._runtime)
        add(program)
        program.run()

"""In place of a launch on a GPU: compiles the kernel for an architecture, as the launch would, and runs its PTX.

The kernel's memory is a copy of its tensors, far apart from each other; what it writes is copied back.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, make_backend
from triton.runtime.jit import JITFunction, create_function_from_signature

from ptx.decode import Code, code_of
from ptx.machine import Machine
from ptx.memory import Array, Memory

BASE = 1 << 40
APART = 1 << 16
ALIGNMENT = 256
PACKED = {"u64": "<Q", "u32": "<I", "s32": "<i", "f32": "<f", "f64": "<d", "b32": "<I", "b64": "<Q"}


class Gpu:
    """Runs launches as one of `arch` would. ran: what was run."""

    def __init__(self, arch: int, seed: int = 0) -> None:
        self.arch, self.rng = arch, np.random.default_rng(seed)
        self.ran: dict[Code, tuple[int, str]] = {}  # architecture, kernel

    def take_over(self, module: ModuleType) -> None:
        """All kernels that a module launches."""
        for name, value in list(vars(module).items()):
            if isinstance(value, JITFunction):
                setattr(module, name, Kernel(value, self))

    def launch(self, kernel: Any, grid: tuple[int, ...], args: tuple[Any, ...], options: dict[str, Any]) -> Code:
        compiled, values = compiled_launch(kernel, args, options, GPUTarget("cuda", self.arch, 32))
        code = code_of(compiled.asm["ptx"])
        self.ran[code] = self.arch, kernel.fn.__name__
        copies, addresses = memory_of([value for value in values if isinstance(value, torch.Tensor)])
        numbers = [next(addresses) if isinstance(value, torch.Tensor) else value for value in values]
        types = code.program.parameters
        assert compiled.metadata.global_scratch_size == 0
        numbers += [0, 0]  # scratch memory, of which there is none
        packed = {name: pack(types[name], n) for name, n in zip(types, numbers, strict=True)}
        Machine(code, grid, copies.memory, packed, compiled.metadata.shared).run(self.rng)
        copies.copy_back()
        return code


class Kernel:
    """Stands in for a kernel: kernel[grid](*args, **options)."""

    def __init__(self, kernel: Any, gpu: Gpu) -> None:
        self.kernel, self.gpu, self.arg_names = kernel, gpu, kernel.arg_names

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., Compiled]:
        def launch(*args: Any, **options: Any) -> Compiled:
            return Compiled(self, options, self.gpu.launch(self.kernel, grid, args, options))

        return launch


class Compiled:
    """Stands in for a compiled kernel, which is given constants by their places: compiled[grid](*args, *constants).

    What is launched through it must be what Triton would choose for these arguments.
    """

    def __init__(self, kernel: Kernel, options: dict[str, Any], code: Code) -> None:
        self.kernel, self.code = kernel, code
        self.constants = {name: value for name, value in options.items() if name in kernel.kernel.arg_names}
        self.options = options

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def launch(*args: Any) -> None:
            count = len(args) - len(self.constants)
            args, constants = args[:count], args[count:]
            assert constants == tuple(self.constants.values())
            code = self.kernel.gpu.launch(self.kernel.kernel, grid, args, self.options)
            assert code is self.code, "a launch of what was compiled for other arguments"

        return launch


def compiled_launch(
    kernel: Any, args: tuple[Any, ...], options: dict[str, Any], target: GPUTarget
) -> tuple[Any, list[Any]]:
    """What Triton's own launch would run, and the values it would be given."""
    backend = make_backend(target)
    binder = create_function_from_signature(kernel.signature, kernel.params, backend)
    bound, specialization, rest = binder(*args, **options)
    packed = kernel._pack_args(backend, rest, bound, specialization, options)
    compiler_options, signature, constants, attributes = packed
    attributes = {path: said for path, said in attributes.items() if said}  # so that Triton finds what it has on disk
    source = ASTSource(kernel, signature, constants, attributes)
    compiled = triton.compile(source, target=target, options=compiler_options.__dict__)
    pairs = zip(bound.values(), (entry[0] for entry in specialization), strict=True)
    return compiled, [value for pair in pairs for value in leaves(*pair)]


def leaves(value: Any, type_: Any) -> Iterator[Any]:
    """The values that are passed; constants are not."""
    if isinstance(value, tuple):
        for part in zip(value, type_, strict=True):
            yield from leaves(*part)
    elif type_ != "constexpr":
        yield value


def pack(type_: str, number: float) -> bytes:
    return struct.pack(PACKED[type_] if number >= 0 or type_[0] == "f" else PACKED[type_].lower(), number)


class Copies:
    """A copy of tensors. Those that share memory do so here too; the others lie apart, with nothing between."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        self.ranges, self.starts, end = ranges, [], 0
        for start, stop in ranges:
            at = -(-(end + APART) // ALIGNMENT) * ALIGNMENT + start % ALIGNMENT
            self.starts.append(at)
            end = at + stop - start
        self.memory = Memory("global memory", end + APART, BASE)
        for at, host in self._pairs():
            self.memory.bytes[at : at + len(host)] = host

    def place(self, pointer: int) -> int:
        """Where a tensor's address lies in the copy."""
        which = max(i for i, (start, _) in enumerate(self.ranges) if start <= pointer)
        return self.starts[which] + pointer - self.ranges[which][0]

    def copy_back(self) -> None:
        for at, host in self._pairs():
            host[:] = self.memory.bytes[at : at + len(host)]

    def _pairs(self) -> Iterator[tuple[int, Array]]:
        for at, (start, stop) in zip(self.starts, self.ranges, strict=True):
            if stop > start:
                yield at, np.frombuffer(memoryview((ctypes.c_uint8 * (stop - start)).from_address(start)), np.uint8)


def memory_of(tensors: list[torch.Tensor]) -> tuple[Copies, Iterator[int]]:
    """A copy of the tensors in which just their elements may be touched, and the address of each."""
    ranges: list[tuple[int, int]] = []
    for start, stop in sorted((tensor.data_ptr(), end_of(tensor)) for tensor in tensors):
        if ranges and start < ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(stop, ranges[-1][1]))
        elif not ranges or (start, stop) != ranges[-1]:
            ranges.append((start, stop))
    copies = Copies(ranges)
    places = [copies.place(tensor.data_ptr()) for tensor in tensors]
    for tensor, at in zip(tensors, places, strict=True):
        allow(copies.memory.allowed[at : at + end_of(tensor) - tensor.data_ptr()], tensor)
    return copies, iter([BASE + at for at in places])


def end_of(tensor: torch.Tensor) -> int:
    """The address behind its last element."""
    if tensor.numel() == 0:
        return tensor.data_ptr()
    last = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.data_ptr() + (last + 1) * tensor.element_size()


def allow(allowed: Array, tensor: torch.Tensor) -> None:
    if tensor.numel():
        size = tensor.element_size()
        strides = tuple(stride * size for stride in tensor.stride())
        np.lib.stride_tricks.as_strided(allowed, (*tensor.shape, size), (*strides, 1))[...] = True

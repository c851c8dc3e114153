"""Makes Triton's interpreter faster: most of a test's time goes into what it works out anew for each operation."""

from __future__ import annotations

from typing import Any

import numpy as np
import triton.language as tl
from triton.language.semantic import TritonSemantic
from triton.runtime import interpreter

Shape = tuple[int, ...]
SCALAR = tl.core.tuple([]), tl.constexpr(1)
shapes: dict[Shape, tuple[Any, ...]] = {}
numpy_types: dict[str, Any] = {}
numpy_type_of = interpreter._get_np_dtype
unwrap_any = tl.core._unwrap_if_constexpr
broadcast_any = TritonSemantic.broadcast_impl_value
look_for_overflow = TritonSemantic.binary_op_sanitize_overflow_impl
cast_any = TritonSemantic.cast


def call(self: Any, *args: Any, **kwargs: Any) -> Any:
    """A device function's call, without patching the language anew."""
    modules = [m for m in self.fn.__globals__.values() if m is tl or m is tl.core]
    if any(tl.core.is_builtin(module.load) for module in modules):
        interpreter._patch_lang(self.fn)
    return self.rewrite()(*args, **kwargs)


def shape_of(sizes: Shape) -> tuple[Any, ...]:
    """What a block type and its tensors hold of a shape, which is the same for all of them."""
    if sizes not in shapes:
        first = tl.core.tuple(list(sizes))
        constants = tl.core.tuple([tl.constexpr(n) for n in sizes])
        numel = tl.core.validate_block_shape(first)
        shapes[sizes] = first, numel, str(first), constants, tl.constexpr(numel)
    return shapes[sizes]


def begin_block_type(self: Any, element_ty: Any, shape: Any) -> None:
    values = shape.values if isinstance(shape, tl.core.tuple) else shape
    sizes = tuple([n.value if isinstance(n, tl.constexpr) else n for n in values])
    if not sizes:
        raise TypeError("0d block_type is forbidden")
    self.element_ty = element_ty
    self.shape, self.numel, name, *_ = shape_of(sizes)
    self.name = f"<{name}, {element_ty}>"


def begin_tensor(self: Any, handle: Any, type: Any) -> None:
    if type.is_block():
        *_, self.shape, self.numel = shape_of(tuple(type.shape.values))
    else:
        self.shape, self.numel = SCALAR
    self.handle, self.type, self.dtype = handle, type, type.scalar


def unwrap(value: Any) -> Any:
    """What a constant holds, and what those in a tuple hold."""
    if isinstance(value, tl.constexpr):
        return value.value
    return unwrap_any(value) if isinstance(value, (list, tuple, tl.core.tuple)) else value


def broadcast(self: Any, a: Any, b: Any) -> Any:
    """Both as large as the larger. Equal shapes are one object (shape_of)."""
    is_same = a.type.is_block() and b.type.is_block() and a.type.shape is b.type.shape
    return (a, b) if is_same else broadcast_any(self, a, b)


def cast(self: Any, value: Any, type_: Any, fp_downcast_rounding: str | None = None) -> Any:
    return value if value.type.scalar is type_.scalar else cast_any(self, value, type_, fp_downcast_rounding)


def overflow(self: Any, a: Any, b: Any, operation: Any) -> None:
    """Not looked for where nothing would be said of it."""
    if self.builder.options.debug:
        look_for_overflow(self, a, b, operation)


def numpy_type(type_: Any) -> np.dtype[Any]:
    """Of a Triton type."""
    element = type_.element_ty if isinstance(type_, tl.block_type) else type_
    if element.name not in numpy_types:
        numpy_types[element.name] = numpy_type_of(element)
    return numpy_types[element.name]


def hasten() -> None:
    interpreter.InterpretedFunction.__call__ = call
    interpreter._get_np_dtype = numpy_type
    tl.block_type.__init__ = begin_block_type
    tl.tensor.__init__ = begin_tensor
    tl.core._unwrap_if_constexpr = unwrap
    TritonSemantic.broadcast_impl_value = broadcast
    TritonSemantic.cast = cast
    TritonSemantic.binary_op_sanitize_overflow_impl = overflow

"""Launches of kernels, without asking Triton each time which compiled kernel to launch."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import torch

# Rounding is part of the contract: nothing may be fused.
EXACT = {"enable_fp_fusion": False}


def name_callees_first(*functions: Any) -> None:
    """Has Triton name its compiled kernels, each after all functions that it calls.

    Left alone, a name depends on which of the kernels that share a function was named first, and one process would
    not find on disk what another has compiled. To be called where the kernels are imported.
    """
    for function in functions:
        if hasattr(type(function), "cache_key"):  # Triton's interpreter has none
            globals_of = function.fn.__globals__
            name_callees_first(*map(globals_of.get, function.fn.__code__.co_names))
            function.cache_key  # noqa: B018 (works it out)


def kind_of(tensors: Iterable[object], numbers: Iterable[int]) -> Hashable:
    """What decides for which arguments Triton compiles a kernel; None if a tensor is not aligned.

    Of `tensors` what is not a tensor is passed over. numbers: those that Triton specializes, or whose width may vary.
    """
    there = [tensor for tensor in tensors if isinstance(tensor, torch.Tensor)]
    if any(tensor.data_ptr() % 16 for tensor in there):
        return None
    kinds = [(number % 16 == 0, number == 1, -(2**31) <= number < 2**31) for number in numbers]
    return (*(tensor.dtype for tensor in there), *kinds)


class Launcher:
    """Keeps what has been compiled for one device, by the kind of the call.

    To find what it has compiled, Triton looks at each argument of each launch: 20 to 30 µs for as many as these kernels
    have. All launches of a call, and of all calls like it, have arguments of the same kinds.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Any, Callable[[Mapping[str, Any]], tuple[Any, ...]]]] = {}

    def launch(
        self,
        kernel: Any,
        grid: tuple[int, ...],
        arguments: Mapping[str, Any],
        constants: Mapping[str, Any],
        kind: Hashable,
        **options: Any,
    ) -> None:
        """Launches a kernel on the current stream of the current device, which must be the launcher's.

        arguments: by name; the kernel takes those that it has parameters for. constants: its last parameters, in their
        order. kind: of the call, by `kind_of`; None leaves the choice to Triton.
        """
        key = (id(kernel), kind, *constants.values())
        known = None if kind is None else self._known.get(key)
        if known is not None:
            compiled, in_order = known
            compiled[(*grid, 1, 1)[:3]](*in_order(arguments), *constants.values())
            return
        # What is compiled takes its arguments by place, so their places are looked up once.
        in_order = operator.itemgetter(*(name for name in kernel.arg_names if name not in constants))
        compiled = kernel[grid](*in_order(arguments), **constants, **options, **EXACT)
        if kind is not None and compiled is not None:  # Triton's interpreter compiles nothing
            self._known[key] = compiled, in_order

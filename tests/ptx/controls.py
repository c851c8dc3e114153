"""Kernels with faults, to show that the machine sees them: a case passes if just the expected fault is found."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from genlib.kernels.row import sizes
from support import kernels_compile

import ptx.launch
from genlib.ops.reference_mass import masses
from ptx.launch import Gpu, Kernel
from ptx.memory import Fault

SIZE = tl.constexpr(256)


@triton.jit
def turn_around(x, BARRIER: tl.constexpr):
    """Reverses x [256], which other threads than those that read it write anew."""
    at = tl.arange(0, SIZE)
    reversed_x = tl.load(x + SIZE - 1 - at)
    if BARRIER:
        tl.debug_barrier()
    tl.store(x + at, reversed_x)


@triton.jit
def count_up(x, first):
    at = tl.arange(0, SIZE)
    tl.store(x + first + at, at + tl.program_id(0))


@triton.jit
def total(x, out):
    tl.store(out, tl.sum(tl.load(x + tl.arange(0, SIZE))))


@triton.jit
def relay(x, counter, out, ORDER: tl.constexpr):
    """Each program leaves a number; who comes last sums them up."""
    tl.store(x + tl.program_id(0), tl.program_id(0) + 1)
    tl.debug_barrier()
    if tl.atomic_add(counter, 1, sem=ORDER) == tl.num_programs(0) - 1:
        at = tl.arange(0, SIZE)
        tl.store(out, tl.sum(tl.load(x + at, mask=at < tl.num_programs(0), other=0)))


def fails(about: str, launch: Callable[[], Any]) -> None:
    fault = ""
    try:
        launch()
    except Fault as error:
        fault = str(error)
    assert re.search(about, fault), fault


def integers(n: int = 256) -> torch.Tensor:
    return torch.arange(n, dtype=torch.int32)


def races(gpu: Gpu) -> None:
    x = integers()
    Kernel(turn_around, gpu)[(1,)](x, BARRIER=True, num_warps=4)
    assert x.tolist() == list(range(256))[::-1]
    fails("global memory.* writes", lambda: Kernel(turn_around, gpu)[(1,)](x, BARRIER=False, num_warps=4))


def races_of_programs(gpu: Gpu) -> None:
    """Who is last must have acquired what the others have released."""
    for order in ("acq_rel", "relaxed"):
        x, counter, out = (torch.zeros(n, dtype=torch.int32) for n in (40, 1, 1))

        def launch() -> None:
            Kernel(relay, gpu)[(40,)](x, counter, out, ORDER=order, num_warps=2)  # noqa: B023

        if order == "acq_rel":
            launch()
            assert out.item() == 40 * 41 // 2
        else:
            fails("global memory.* reads", launch)
    fails("global memory.* writes", lambda: Kernel(count_up, gpu)[(2,)](integers(), 0, num_warps=1))


def missing_barriers(gpu: Gpu) -> None:
    """Shared memory: a sum whose compiled code has lost its barriers."""
    out = torch.zeros(1, dtype=torch.int32)
    Kernel(total, gpu)[(1,)](integers(), out, num_warps=4)
    assert out.item() == 255 * 128
    code_of = ptx.launch.code_of
    ptx.launch.code_of = lambda ptx: code_of(re.sub(r"bar\.sync\s+0;", "", ptx))
    fails("shared memory", lambda: Kernel(total, gpu)[(1,)](integers(), out, num_warps=4))
    ptx.launch.code_of = code_of


def out_of_bounds(gpu: Gpu) -> None:
    """By one element at either end; between the rows of a tensor whose rows lie apart, too."""
    wide = torch.zeros(3, 2 * 256, dtype=torch.int32)[:, :256]
    launches: list[tuple[torch.Tensor, int]] = [(integers(255), 0), (integers(256), 1), (wide, 256)]
    for x, first in launches:
        fails("nobody's", lambda x=x, first=first: Kernel(count_up, gpu)[(1,)](x, first, num_warps=4))
    fails("nobody's", lambda: Kernel(count_up, gpu)[(1,)](integers(), -1, num_warps=4))
    Kernel(count_up, gpu)[(1,)](wide, 512, num_warps=4)
    assert wide[1].tolist() == list(range(256))


def misaligned(gpu: Gpu) -> None:
    """Wide loads of what is not where the compiled code takes it to be."""
    place = ptx.launch.Copies.place
    ptx.launch.Copies.place = lambda copies, pointer: place(copies, pointer) + 4
    fails("not aligned", lambda: Kernel(count_up, gpu)[(1,)](torch.zeros(300, dtype=torch.int32), 0, num_warps=1))
    ptx.launch.Copies.place = place


def fusion(gpu: Gpu) -> None:
    """The bits of masses tell whether a multiplication and an addition were made one."""
    x = torch.randn(sizes.TILE, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    y = (x.float().numpy() - np.float32(1.5)) * np.float32(0.7)
    sums = []
    for options in ({"enable_fp_fusion": False}, {"enable_fp_fusion": True}):
        out = torch.zeros(1, dtype=torch.uint64)
        Kernel(kernels_compile.weigh, gpu)[(1,)](x, out, MASSES=True, num_warps=1, **options)
        sums.append(out.item())
    assert sums[0] == int(masses(y).sum(dtype=np.uint64))
    assert sums[1] != sums[0]


CONTROLS = {
    "races": races,
    "races-of-programs": races_of_programs,
    "missing-barriers": missing_barriers,
    "out-of-bounds": out_of_bounds,
    "misaligned": misaligned,
    "fusion": fusion,
}

"""The machine that runs PTX: what threads do together, and the faults that it finds."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from ptx.decode import Code
from ptx.machine import Machine
from ptx.memory import Fault, Memory
from ptx.parse import parse

HEAD = """
.visible .entry test(
    .param .u64 .ptr .global .align 1 out
)
.reqntid {threads}
{{
    .reg .pred %p<9>;
    .reg .b32 %r<99>;
    .reg .b64 %rd<9>;
    ld.param.b64 %rd1, [out];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd2, %r1, 4;
    add.s64 %rd3, %rd1, %rd2;
"""


def run(body: str, threads: int = 64, shared: int = 256, grid: tuple[int, ...] = (1,)) -> list[int]:
    """What the threads leave in their word: %r1 is a thread's number, %rd3 its word's address."""
    text = HEAD.format(threads=threads) + body + "\n    ret;\n}\n"
    memory = Memory("global memory", 4 * threads, base=4096)
    memory.allowed[:] = True
    parameters = {"out": struct.pack("<Q", 4096)}
    Machine(Code(parse(text)), grid, memory, parameters, shared).run(np.random.default_rng(0))
    words: list[int] = memory.bytes.view(np.int32).tolist()
    return words


STORE = "st.global.b32 [ %rd3 + 0 ], { %r2 };"


def test_threads_part_and_meet() -> None:
    """Each takes as many steps as it needs; after the loop, all are there for a sum over the warp."""
    got = run(f"""
        mov.b32 %r2, 0;
        add.s32 %r3, %r1, 1;
    $LOOP:
        setp.eq.b32 %p1, %r3, 1;
        @%p1 bra $END;
        add.s32 %r2, %r2, 1;
        and.b32 %r4, %r3, 1;
        setp.eq.b32 %p2, %r4, 0;
        shr.u32 %r5, %r3, 1;
        mad.lo.s32 %r6, %r3, 3, 1;
        selp.b32 %r3, %r5, %r6, %p2;
        bra.uni $LOOP;
    $END:
        redux.sync.add.s32 %r7, %r2, -1;
        add.s32 %r2, %r2, %r7;
        {STORE}
    """)
    steps = []
    for first in range(1, 65):
        n, count = first, 0
        while n != 1:
            n, count = (n // 2 if n % 2 == 0 else 3 * n + 1), count + 1
        steps.append(count)
    assert got == [steps[i] + sum(steps[i // 32 * 32 : i // 32 * 32 + 32]) for i in range(64)]


@pytest.mark.parametrize(
    ("way", "amount", "limit", "source"),
    [
        ("bfly", "5", "31", lambda lane: lane ^ 5),
        ("up", "3", "0", lambda lane: lane - 3 if lane >= 3 else lane),
        ("idx", "7", "31", lambda lane: 7 + 0 * lane),
        ("idx", "%r4", "31", lambda lane: (lane * 3) % 32),
    ],
)
def test_shuffles(way: str, amount: str, limit: str, source: Callable[[int], int]) -> None:
    got = run(f"""
        mul.lo.s32 %r3, %r1, 10;
        mul.lo.s32 %r4, %r1, 3;
        shfl.sync.{way}.b32 %r2, %r3, {amount}, {limit}, -1;
        {STORE}
    """)
    assert got == [10 * (i // 32 * 32 + source(i % 32)) for i in range(64)]


def test_matrices_are_loaded_by_rows() -> None:
    got = run(
        f"""
        shl.b32 %r3, %r1, 4;
        mul.lo.s32 %r4, %r1, 1000;
        add.s32 %r5, %r4, 1;
        add.s32 %r6, %r4, 2;
        add.s32 %r7, %r4, 3;
        st.shared.v4.b32 [ %r3 + 0 ], {{ %r4, %r5, %r6, %r7 }};
        bar.warp.sync -1;
        ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{%r10, %r11, %r2, %r12}}, [%r3];
        {STORE}
        """,
        threads=32,
        shared=512,
    )
    assert got == [1000 * (16 + lane // 4) + lane % 4 for lane in range(32)]


SHIFT = "shl.b32 %r3, %r1, 2;\nst.shared.b32 [ %r3 + 0 ], %r1;\n"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (f"{SHIFT} xor.b32 %r4, %r3, 128; ld.shared.b32 %r2, [%r4];", "reads byte"),
        (f"{SHIFT} xor.b32 %r4, %r3, 4; ld.shared.b32 %r2, [%r4];", "reads byte"),
        (f"{SHIFT} bar.sync 0; xor.b32 %r4, %r3, 128; st.shared.b32 [ %r4 + 0 ], %r1; {SHIFT}", "writes byte"),
        ("mov.b32 %r3, 0; st.shared.b32 [ %r3 + 0 ], %r1;", "writes at once"),
        ("ld.shared.b32 %r2, [global_smem];", "never written"),
        (f"{SHIFT} bar.sync 0; ld.shared.b32 %r2, [%r3+4];", "252 of|256 of|4 bytes at"),
        ("st.global.b32 [ %rd1 + 0 ], { %r1 };", "writes at once"),
        ("st.global.b32 [ %rd3 + 4 ], { %r1 };", "nobody's"),
        ("st.global.b32 [ %rd3 + 2 ], { %r1 };", "not aligned"),
        ("ld.global.v4.b32 { %r3, %r4, %r5, %r6 }, [ %rd3 + 0 ];", "not aligned"),
        ("setp.lt.u32 %p1, %r1, 32; @%p1 bra $A; bar.sync 0; $A:", "wait for others"),
        ("setp.lt.u32 %p1, %r1, 9; @%p1 bra $A; shfl.sync.up.b32 %r2, %r1, 1, 0, -1; $A:", "wait for others"),
    ],
)
def test_faults(body: str, fault: str) -> None:
    with pytest.raises(Fault, match=fault):
        run(body.replace(";", ";\n").replace("$A:", "$A:\n"))


def test_a_barrier_orders_what_lies_around_it() -> None:
    body = f"{SHIFT} bar.sync 0; xor.b32 %r4, %r3, 252; ld.shared.b32 %r2, [%r4]; bar.sync 0; {SHIFT} {STORE}"
    assert run(body.replace(";", ";\n")) == list(range(64))[::-1]


def test_programs_have_places_in_the_grid() -> None:
    got = run(
        f"""
        mov.u32 %r3, %ctaid.y;
        mov.u32 %r4, %nctaid.x;
        mov.u32 %r5, %ctaid.x;
        mad.lo.s32 %r6, %r3, %r4, %r5;
        mul.wide.u32 %rd2, %r6, 4;
        add.s64 %rd3, %rd1, %rd2;
        mul.lo.s32 %r2, %r3, 100;
        add.s32 %r2, %r2, %r5;
        {STORE}
    """,
        threads=32,
        grid=(4, 3),
    )
    assert got[:12] == [100 * y + x for y in range(3) for x in range(4)]


def test_atomics_lose_nothing() -> None:
    got = run("atom.global.gpu.relaxed.add.u32 %r2, [ %rd1 + 0 ], 1;", threads=64, grid=(50,))
    assert got[0] == 64 * 50

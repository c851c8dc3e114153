"""Calls whose kernels run as compiled PTX, compared with the C++ sampler or the reference. Prints JSON lines.

    cd tests && TRITON_INTERPRET=0 python -m ptx.cases 90:random,slow 80:random

One line for each case, with its first fault or difference, and one for each compiled kernel: how much of it was run.
Where V is a multiple of 16 and logits are bfloat16, kernels are those of kernels_compile.py, which Triton
keeps on disk.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from genlib.kernels import edits_of
from genlib.kernels.beam import device as beam_device
from genlib.kernels.sampler import launches
from support.kernels import as_tensor, run_kernels
from support.kernels_beam import narrowed
from support.kernels_compile import BEAMS, SAMPLER
from support.kernels_random import (
    NO_TOPS,
    Arguments,
    assert_as_on_the_cpu,
    assert_identical,
    call_kinds,
    random_arguments,
)
from support.random import random_logits
from support.sampling import NEXT_TO_ONE, adversarial_rows

from ptx.cases_beam import SEARCH_CASES
from ptx.controls import CONTROLS
from ptx.launch import Gpu

OFF: Arguments = {
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "allowed": None,
    "edits": None,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "top_logprobs": 0,
}
SLOW_ROWS = ("flat", "normal", "coarse", "all equal", "two values", "sorted", "near ties", "some NaN")


def check(logits: Any, arguments: Arguments) -> Any:
    tensor = as_tensor(logits)
    got, work = run_kernels(tensor, OFF | arguments)
    assert_as_on_the_cpu(got, tensor, OFF | arguments)
    return work


def draws(rng: np.random.Generator, S: int, **parameters: Any) -> Arguments:
    """Lists become tensors of float32 or int32, numbers are for all rows."""

    def tensor(values: list[Any]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32 if isinstance(values[0], float) else torch.int32)

    words = {name: torch.from_numpy(rng.integers(0, 2**63, S)) for name in ("seeds", "positions", "streams")}
    return words | {name: tensor(v) if isinstance(v, list) else v for name, v in parameters.items()}


def adversarial(rng: np.random.Generator, V: int, dtype: Any, times: int = 1) -> Any:
    return narrowed(np.stack(list(adversarial_rows(V, rng).values()) * times), dtype)


def rows_that_break_samplers() -> None:
    for V, changed in ((208, False), (208, True), (2064, False), (2064, True)):
        rng = np.random.default_rng([V, changed])
        logits = adversarial(rng, V, np.uint16)
        check(logits, random_arguments(rng, V, len(logits), changed, top_logprobs=3 * (V < 1000)))


def random_rows() -> None:
    for V, changed in ((208, False), (208, True), (1040, True)):
        rng, S = np.random.default_rng([V, changed, 1]), 24
        logits = narrowed(random_logits(rng, V, S), np.uint16)
        check(logits, random_arguments(rng, V, S, changed, top_logprobs=5))


def without_truncation() -> None:
    for V, changed in ((208, False), (2064, True)):
        rng = np.random.default_rng([V, changed, 2])
        logits = adversarial(rng, V, np.uint16)
        random = random_arguments(rng, V, len(logits), changed)
        off = {name: OFF[name] for name in ("top_k", "top_p", "min_p")}
        check(logits, random | off)
        check(logits, random | off | {"temperature": 1.0})


def slow_arguments(rng: np.random.Generator, V: int, times: int) -> Arguments:
    columns: dict[str, list[Any]] = {
        "temperature": [1.0, 2.3, 1.0, 3.0, 3.0],
        "top_k": [0, V // 2, V // 2, 0, V - 3],
        "top_p": [0.9, 1.0, 0.5, 1.0, NEXT_TO_ONE],
        "min_p": [0.0, 0.0, 0.0, 1e-6, 0.01],
    }
    return draws(rng, 5 * times, **{name: column * times for name, column in columns.items()})


def slow_rows() -> None:
    """Coarse ones often, since in which order their equals are listed is chance, and the guesses go by that."""
    for V, names in ((1312, SLOW_ROWS), (20016, SLOW_ROWS[:3]), (20016, ("coarse",) * 6)):
        rng, times = np.random.default_rng(V), len(names)
        rows = adversarial_rows(V, rng)
        logits = np.stack([rows[name] for name in names for _ in range(5)])
        work = check(narrowed(logits, np.uint16), slow_arguments(rng, V, times))
        assert work.slow.sum() > len(logits) // 2


def slow_rows_changed() -> None:
    rng, V = np.random.default_rng(4), 4112
    rows = adversarial_rows(V, rng)
    logits = np.stack([rows[name] for name in SLOW_ROWS[:3] for _ in range(5)])
    changes = random_arguments(rng, V, len(logits), changed=True)
    wanted = {name: changes[name] for name in ("allowed", "edits")} | {"repetition_penalty": 1.1}
    check(narrowed(logits, np.uint16), slow_arguments(rng, V, 3) | wanted)


def other_logits() -> None:
    """Float32, and an odd V: loads of single elements, which are not converted."""
    V, times = 1301, 4
    rng = np.random.default_rng(V)
    logits = adversarial(rng, V, np.float32)
    check(logits, random_arguments(rng, V, len(logits), changed=True))
    changes = random_arguments(rng, V, 5 * times, changed=True)
    wanted = {name: changes[name] for name in ("allowed", "edits")}
    rows = np.repeat(logits[:times], 5, axis=0)
    assert check(rows, slow_arguments(rng, V, times) | wanted).slow.any()


def other_logits_untruncated() -> None:
    for dtype, V in ((np.float32, 97), (np.float32, 2064), (np.float16, 2051)):
        rng = np.random.default_rng([V, 3])
        logits = np.stack([row for name, row in adversarial_rows(V, rng).items() if name != "huge"])
        check(narrowed(logits, dtype), draws(rng, len(logits), temperature=[1.0, 0.0, 0.7, 1e4] * 5))


def wrong_guesses() -> None:
    """The sample sees none of what lies around the boundary, and the list has too little room for it."""
    rng, V = np.random.default_rng(5), 4112
    row = np.sort(rng.standard_normal(V)).astype(np.float32)
    row[1::4] += 3
    logits = narrowed(np.stack([row] * 3), np.uint16)
    arguments = draws(rng, 3, top_k=[0, 1500, 2000], top_p=[0.9, 1.0, 0.7], min_p=0.0)
    modules = [module for name, module in sys.modules.items() if name.startswith("genlib.kernels.")]
    places = [(module, module.room_inside) for module in modules if hasattr(module, "room_inside")]
    for room in (1024, 2048):
        for module, _ in places:
            module.room_inside = lambda _, room=room: room
        assert check(logits, arguments).slow.all()
    for module, before in places:
        module.room_inside = before


def rows_in_groups() -> None:
    """Peaks of some rows beside the masses of others, and several tiles to a program."""
    rng, V, S = np.random.default_rng(11), 5136, 5
    before = launches.group_size, launches.tiles_each
    for size, each, changed in ((2, 2, False), (1, 4, True), (3, 5, False)):
        launches.group_size, launches.tiles_each = lambda *_, size=size: size, lambda _, each=each: each
        logits = narrowed(random_logits(rng, V, S), np.uint16)
        check(logits, random_arguments(rng, V, S, changed, top_logprobs=3))
        check(logits, draws(rng, S, temperature=[0.0, 0.5, 1.0, 2.0, 1.0]))
    launches.group_size, launches.tiles_each = before


def calls_of_every_kind() -> None:
    """A row's bits do not depend on how many warps its kernels have, nor on what else a call asks for."""
    rng, V, S = np.random.default_rng(12), 2576, 4
    logits = as_tensor(narrowed(random_logits(rng, V, S), np.uint16))
    for temperature in (0.7, 1.0):
        arguments = OFF | draws(rng, S, temperature=temperature)
        expected, _ = run_kernels(logits, arguments)
        for changes in call_kinds(V, S):
            got, _ = run_kernels(logits, arguments | changes)
            assert_identical(dataclasses.replace(got, **NO_TOPS), expected)


def full_size() -> None:
    rng, V = np.random.default_rng(6), 128256
    rows = adversarial_rows(V, rng)
    for name, top_p in (("wide", 0.95), ("flat", 0.9)):
        check(narrowed(rows[name][None], np.uint16), draws(rng, 1, temperature=0.8, top_p=top_p))
    every = torch.full((1, V // 32), -1, dtype=torch.int32)
    few = draws(rng, 1, top_k=50, edits=edits_of([{7: 1.0}]), allowed=every)
    check(narrowed(rows["zipf"][None], np.uint16), few)


CASES: dict[str, Callable[[], None]] = {
    "breaking": rows_that_break_samplers,
    "random": random_rows,
    "untruncated": without_truncation,
    "other": other_logits,
    "other-untruncated": other_logits_untruncated,
    "slow": slow_rows,
    "slow-changed": slow_rows_changed,
    "guesses": wrong_guesses,
    "groups": rows_in_groups,
    "kinds": calls_of_every_kind,
    "full": full_size,
    **SEARCH_CASES,
}


def run_case(gpu: Gpu, name: str) -> dict[str, Any]:
    begun, error = time.perf_counter(), None
    gpu.rng = np.random.default_rng(list(name.encode()))
    try:
        CONTROLS[name](gpu) if name in CONTROLS else CASES[name]()
    except Exception:
        error = traceback.format_exc()
    return {"arch": gpu.arch, "case": name, "error": error, "seconds": round(time.perf_counter() - begun, 2)}


def main() -> None:
    """Arguments: an architecture, and which cases for it."""
    gpu = Gpu(0)
    gpu.take_over(launches)
    gpu.take_over(beam_device)
    torch.use_deterministic_algorithms(True)  # new buffers are then full of NaN
    for argument in sys.argv[1:]:
        arch, names = argument.split(":")
        gpu.arch = int(arch)
        for name in names.split(","):
            print(json.dumps(run_case(gpu, name)), flush=True)
    for code, (arch_of_code, kernel) in gpu.ran.items():
        if kernel in SAMPLER + BEAMS:
            share = round(float(code.visited.mean()), 4)
            print(json.dumps({"arch": arch_of_code, "kernel": kernel, "executed": share}))


if __name__ == "__main__":
    main()

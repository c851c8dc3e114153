"""genlib's samplers: `genlib.kernels.sample`, and on the CPU the recorded operation of each vector width."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from genlib.kernels import Edits, new_sampled, new_workspace, sample
from genlib.kernels.row.logits import array_of
from genlib.kernels.sampler.host import row_params
from genlib.kernels.sampler.request import SampleRequest

from genlib import _native
from genlib.ops.buffers import RowParams, SamplerOutput
from genlib.ops.cpu import CpuOps

from .cells import Cell
from .contestant import Contestant, Draw, Result

HALF = 0x5A5AA5A5  # a mask's word that allows half of its tokens


def arguments_of(cell: Cell, device: str, by_row: bool = False) -> dict[str, Any]:
    """All arguments of `sample` besides the logits. by_row: parameters as tensors [S], as a server's batch has them."""
    S, setting = cell.S, cell.setting

    def number(value: float, dtype: torch.dtype = torch.float32) -> Any:
        return torch.full((S,), value, dtype=dtype, device=device) if by_row else value

    return {
        "temperature": number(setting.temperature),
        "top_k": number(setting.top_k, torch.int32),
        "top_p": number(setting.top_p),
        "min_p": number(0.0),
        "seeds": torch.zeros(S, dtype=torch.int64, device=device),
        "positions": torch.arange(S, device=device),
        "streams": 0,
        "allowed": torch.full((S, -(-cell.V // 32)), HALF, dtype=torch.int32, device=device)
        if setting.masked
        else None,
        "edits": edits_of(cell, device) if setting.edits else None,
        "repetition_penalty": 1.1,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.25,
        "top_logprobs": setting.top_n,
    }


def edits_of(cell: Cell, device: str) -> Edits:
    """The same entries for every row: a bias on each, and a fourth each that has not occurred, is in the prompt, …"""
    n = cell.setting.edits
    tokens = np.sort(np.random.default_rng(cell.V).choice(cell.V, n, replace=False)).astype(np.int32)
    columns = {
        "start": torch.zeros(cell.S, dtype=torch.int64),
        "count": torch.full((cell.S,), n, dtype=torch.int32),
        "token": torch.from_numpy(tokens),
        "bias": torch.full((n,), 0.5),
        "seen": torch.arange(n, dtype=torch.int32) % 4 - 1,
    }
    return Edits(**{name: column.to(device) for name, column in columns.items()})


def params_of(cell: Cell) -> RowParams:
    """The cell's parameters as the contract has them."""
    return row_params(SampleRequest(logits=torch.empty(cell.S, cell.V), **arguments_of(cell, "cpu")))


def kernels(cell: Cell, device: str, by_row: bool = False) -> Draw:
    """The public call, its buffers made before. Greedy: the model's probability, else that drawn from."""
    arguments = arguments_of(cell, device, by_row)
    buffers: dict[str, Any] = {
        "out": new_sampled(cell.S, cell.setting.top_n, device),
        "workspace": new_workspace(cell.S, cell.V, device),
    }
    out = buffers["out"]
    probability = out.sampling_probability if cell.setting.temperature else out.probability

    def draw(logits: torch.Tensor) -> Result:
        sample(logits, **arguments, **buffers)
        return out.token, probability

    return draw


@functools.cache
def _ops(width: str, threads: int) -> CpuOps:
    return CpuOps(threads, width)


def recorded(cell: Cell, device: str, width: str, threads: int) -> Draw:  # noqa: ARG001 (on the CPU only)
    """The operation as the engine's step replays it: no Python but the call."""
    S, N = cell.S, cell.setting.top_n
    params = params_of(cell)
    kinds = (np.int32, np.float32, np.float32, np.float32, np.int32, np.int32)
    tops = (np.int32, np.float32, np.float32)
    out = SamplerOutput(*(np.empty(S, kind) for kind in kinds), *(np.empty((S, N), kind) for kind in tops))
    plan: Any = SimpleNamespace(num_sampled=np.array([S], np.int32))
    probability = torch.from_numpy(out.sampling_probability if cell.setting.temperature else out.probability)
    token, steps = torch.from_numpy(out.token), {}

    def draw(logits: torch.Tensor) -> Result:
        if logits.data_ptr() not in steps:
            array, ops = array_of(logits), _ops(width, threads)
            steps[logits.data_ptr()] = ops.record(lambda: ops.sample(array, params, plan, out), S)
        steps[logits.data_ptr()].launch()
        return token, probability

    return draw


def own_contestants(device: str) -> list[Contestant]:
    if device == "cuda":
        by_row = functools.partial(kernels, by_row=True)
        return [Contestant("genlib", "genlib", kernels), Contestant("genlib, tensors", "genlib", by_row)]
    return [
        Contestant("genlib", "genlib", kernels),
        *(
            Contestant(f"{width}, {threads}", "genlib", functools.partial(recorded, width=width, threads=threads))
            for width in _native.cpu_widths()
            for threads in (1, 2)
        ),
    ]

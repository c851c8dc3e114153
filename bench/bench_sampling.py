"""Microseconds per row of the CPU's sampler on one thread, from logits to token and both probabilities.

    python bench/bench_sampling.py [--width avx512|avx2|baseline] [--repeats 30]

Beside it, what a program without such a kernel does: softmax, sort, cumulative sum and a draw, in numpy and (if it
can be imported) in torch, on one thread. Each figure is the best of its repeats, since a shared machine only ever
adds time. The rows' logits stay in the cache, as they do behind the matrix product that makes them.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from genlib import _native
from genlib.ops import rows
from genlib.ops.base import Drawn, RowParams

ROWS = 8
WIDTHS = ("avx512", "avx2", "baseline")


@dataclass(frozen=True, slots=True)
class Setting:
    """Parameters of a draw, in the user's units."""

    name: str
    temperature: float
    top_k: int = 0
    top_p: float = 1.0


SETTINGS = (
    Setting("greedy", 0),
    Setting("T 0.8", 0.8),
    Setting("T 0.8, p 0.95", 0.8, 0, 0.95),
    Setting("T 0.8, k 50, p 0.95", 0.8, 50, 0.95),
)


def params_of(setting: Setting) -> RowParams:
    """ROWS rows that differ in their position."""
    return RowParams(
        scale=np.full(ROWS, rows.row_scale(setting.temperature), np.float32),
        top_k=np.full(ROWS, setting.top_k, np.int32),
        top_p=np.full(ROWS, rows.row_top_p(setting.top_p), np.uint32),
        min_p=np.full(ROWS, -np.inf, np.float32),
        seed=np.zeros(ROWS, np.uint64),
        stream=np.zeros(ROWS, np.uint64),
        position=np.arange(ROWS, dtype=np.int64),
        mask=np.full(ROWS, -1, np.int32),
        forced=np.full(ROWS, -1, np.int32),
        masks=np.zeros((0, 0), np.uint32),
    )


def best_of(repeats: int, call: Callable[[], Any]) -> float:
    """Least microseconds of one call."""
    least = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        least = min(least, time.perf_counter() - start)
    return least * 1e6


def with_genlib(width: str, row: Any, setting: Setting, repeats: int) -> float:
    params, num_draws = params_of(setting), np.array([ROWS], np.int32)
    out = Drawn(*(np.empty(ROWS, t) for t in (np.int32, np.float32, np.float32, np.float32, np.int32, np.int32)))
    logits = np.broadcast_to(row, (ROWS, len(row)))
    return best_of(repeats, lambda: _native.sample_rows(width, logits, params, num_draws, out)) / ROWS


def with_numpy(row: Any, setting: Setting, repeats: int) -> float:
    rng = np.random.default_rng(0)

    def draw() -> Any:
        model = np.exp(row - row.max())
        model /= model.sum()
        if setting.temperature == 0:
            token = int(row.argmax())
            return token, model[token]
        p = np.exp((row - row.max()) / np.float32(setting.temperature))
        truncated = setting.top_k > 0 or setting.top_p < 1
        order = np.argsort(-p)[: setting.top_k or None] if truncated else np.arange(len(p))
        running = np.cumsum(p[order], dtype=np.float64)
        kept = min(int(np.searchsorted(running, setting.top_p * running[-1])) + 1, len(order))
        token = order[np.searchsorted(running[:kept], rng.random() * running[kept - 1], side="right")]
        return token, model[token], p[token] / running[kept - 1]

    return best_of(max(3, repeats // 6), draw)


def with_torch(row: Any, setting: Setting, repeats: int) -> float:
    import torch  # noqa: PLC0415 (optional, and slow to import)

    torch.set_num_threads(1)
    logits = torch.from_numpy(row)

    def draw() -> Any:
        model = torch.softmax(logits, -1)
        if setting.temperature == 0:
            token = logits.argmax()
            return token, model[token]
        x = logits / setting.temperature
        if setting.top_k:
            x = torch.where(x < torch.topk(x, setting.top_k).values[-1], -torch.inf, x)
        p = torch.softmax(x, -1)
        if setting.top_p < 1:
            ordered, order = torch.sort(p, descending=True)
            dropped = ordered.cumsum(-1) - ordered >= setting.top_p
            p = torch.zeros_like(p).scatter(-1, order, torch.where(dropped, 0, ordered))
        token = torch.multinomial(p, 1)
        return token, model[token], p[token] / p.sum()

    with torch.inference_mode():
        return best_of(max(3, repeats // 6), draw)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", choices=WIDTHS, default="avx512")
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    peers: dict[str, Callable[[Any, Setting, int], float]] = {"numpy": with_numpy}
    if importlib.util.find_spec("torch"):
        peers["torch"] = with_torch
    print(f"{'V':>7} {'logits':9} {'':20} {options.width:>9}", *(f"{name:>9}" for name in peers), "  µs per row")
    for V in (4096, 49152, 128256):
        noise = np.random.default_rng(V).standard_normal(V).astype(np.float32)
        for spread in (1, 3):
            row = noise * np.float32(spread)
            for setting in SETTINGS:
                own = with_genlib(options.width, row, setting, options.repeats)
                others = [measure(row, setting, options.repeats) for measure in peers.values()]
                figures = "".join(f" {x:9.1f}" for x in (own, *others))
                print(f"{V:7} randn·{spread}   {setting.name:20}{figures}", flush=True)


if __name__ == "__main__":
    main()

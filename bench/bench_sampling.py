"""Microseconds per row of the CPU's sampler, from logits to token and both probabilities.

    python bench/bench_sampling.py [--width avx512|avx2|baseline] [--threads 1] [--rows 1] [--dtype float32]

Beside it, what a program without such a kernel does: softmax, sort, cumulative sum and a draw, in numpy and (if it
can be imported) in torch, on one thread (`--no-peers` leaves them out). Each figure is the best of its repeats, since
a shared machine only ever adds time. All rows are one row in memory, and its logits stay in the cache, as they do
behind the matrix product that makes them.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from genlib.ops import rows
from genlib.ops.base import Drawn, RowParams
from genlib.ops.cpu import CpuOps
from genlib.ops.tensor import Tensor

WIDTHS = ("avx512", "avx2", "baseline")
DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class Setting:
    """Parameters of a draw, in the user's units; penalties and a bias on `edits` tokens, half of which are masked."""

    name: str
    temperature: float
    top_k: int = 0
    top_p: float = 1.0
    top_n: int = 0
    edits: int = 0
    masked: bool = False


SETTINGS = (
    Setting("greedy", 0),
    Setting("T", 0.8),
    Setting("T, p 0.95", 0.8, 0, 0.95),
    Setting("T, k 50, p 0.95", 0.8, 50, 0.95),
)
MORE_SETTINGS = (
    Setting("greedy, top 20", 0, top_n=20),
    Setting("T, 500 edits", 0.8, edits=500),
    Setting("T, half masked", 0.8, masked=True),
    Setting("everything", 0.8, 50, 0.95, top_n=20, edits=500, masked=True),
)


def params_of(setting: Setting, vocabulary: int, num_rows: int) -> RowParams:
    """Rows that differ in their position."""
    rng = np.random.default_rng(vocabulary)
    tokens = np.sort(rng.choice(vocabulary, setting.edits, replace=False)).astype(np.int32)

    def column(value: Any, dtype: Any) -> Any:
        return np.full(num_rows, value, dtype)

    return RowParams(
        scale=column(rows.row_scale(setting.temperature), np.float32),
        top_k=column(setting.top_k, np.int32),
        top_p=column(rows.row_top_p(setting.top_p), np.uint32),
        min_p=column(-np.inf, np.float32),
        seed=column(0, np.uint64),
        stream=column(0, np.uint64),
        position=np.arange(num_rows, dtype=np.int64),
        mask=column(0 if setting.masked else -1, np.int32),
        forced=column(-1, np.int32),
        top_n=column(setting.top_n, np.int32),
        repetition=column(1.1, np.float32),
        presence=column(0.5, np.float32),
        frequency=column(0.25, np.float32),
        edit_start=column(0, np.int64),
        edit_count=column(setting.edits, np.int32),
        masks=np.full((1, -(-vocabulary // 32)), 0x5A5AA5A5, np.uint32),
        edit_token=tokens,
        edit_bias=np.full(setting.edits, 0.5, np.float32),
        edit_seen=(np.arange(setting.edits) % 4 - 1).astype(np.int32),
    )


def new_drawn(num_rows: int, top_n: int) -> Drawn:
    kinds = (np.int32, np.float32, np.float32, np.float32, np.int32, np.int32)
    tops = (np.int32, np.float32, np.float32)
    return Drawn(*(np.empty(num_rows, kind) for kind in kinds), *(np.empty((num_rows, top_n), kind) for kind in tops))


def best_of(repeats: int, call: Callable[[], Any]) -> float:
    """Least microseconds of one call."""
    least = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        least = min(least, time.perf_counter() - start)
    return least * 1e6


def as_dtype(row: Any, dtype: str) -> Any:
    """The row as the sampler takes it: bfloat16 as its bits."""
    data = Tensor("row", "F32", row).to(dtype).data
    return data.view(np.float16) if dtype == "float16" else data


def with_genlib(ops: CpuOps, row: Any, setting: Setting, num_rows: int, repeats: int) -> float:
    """A recorded step, replayed."""
    params, out = params_of(setting, len(row), num_rows), new_drawn(num_rows, setting.top_n)
    plan: Any = SimpleNamespace(num_draws=np.array([num_rows], np.int32))
    logits = np.broadcast_to(row, (num_rows, len(row)))
    step = ops.record(lambda: ops.sample(logits, params, plan, out))
    return best_of(repeats, step.replay) / num_rows


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
    parser.add_argument("--width", choices=WIDTHS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[4096, 49152, 128256])
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    peers: dict[str, Callable[[Any, Setting, int], float]] = {} if options.no_peers else {"numpy": with_numpy}
    if not options.no_peers and importlib.util.find_spec("torch"):
        peers["torch"] = with_torch
    ops = CpuOps(options.threads, options.width)
    print(f"{'V':>7} {'logits':8} {'':16} {ops.runtime.width:>9}", *(f"{name:>9}" for name in peers), "  µs per row")
    for V in options.vocabularies:
        noise = np.random.default_rng(V).standard_normal(V).astype(np.float32)
        for spread in (1, 3):
            row = noise * np.float32(spread)
            for setting in SETTINGS + MORE_SETTINGS:
                own = with_genlib(ops, as_dtype(row, options.dtype), setting, options.rows, options.repeats)
                others = [measure(row, setting, options.repeats) for measure in peers.values()]
                if setting in MORE_SETTINGS:
                    others = []
                figures = "".join(f" {x:9.1f}" for x in (own, *others))
                print(f"{V:7} randn·{spread}  {setting.name:16}{figures}", flush=True)
    ops.close()


if __name__ == "__main__":
    main()

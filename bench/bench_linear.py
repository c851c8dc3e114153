"""Linear layers on the CPU: time, GFLOP/s and GB/s at the shapes of small models, beside torch where it is installed.

    python bench/bench_linear.py [--threads N] [--rounds N] [--torch] [--width avx512|avx2|baseline]

The floor of few rows is the machine's read bandwidth, measured in the same run with the same threads on a buffer of
the weight's size: "of floor" is the weight's bytes by that bandwidth, over the time taken. Times are medians; `best`
is the fastest round, which says more on a machine that is shared.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from genlib import _native
from genlib.ops.cores import usable_cores
from genlib.ops.cpu import CpuOps
from genlib.ops.tensor import Tensor

SHAPES = [(1536, 576), (960, 576), (576, 576), (576, 1536), (49152, 576), (4096, 4096), (320, 192), (192, 512)]
ROWS = (1, 4, 16, 64, 512)


def measure(run: Callable[[], object], rounds: int) -> tuple[float, float]:
    """(median, best) seconds. Short calls are repeated within a round."""
    run()
    start = time.perf_counter()
    run()
    repeats = max(1, int(2e-3 / max(time.perf_counter() - start, 1e-7)))
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        times.append((time.perf_counter() - start) / repeats)
    return statistics.median(times), min(times)


def torch_linear(values: Any, dtype: str, x: Any, threads: int) -> Callable[[], object]:
    import torch  # noqa: PLC0415 (a peer, not a dependency of this bench)

    torch.set_num_threads(threads)
    kind = torch.float32 if dtype == "F32" else torch.bfloat16
    weight, rows = torch.from_numpy(values).to(kind), torch.from_numpy(x).to(kind)
    return lambda: torch.nn.functional.linear(rows, weight)


def bench_shape(ops: CpuOps, out: int, size: int, dtype: str, args: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((out, size), np.float32)
    data = values if dtype == "F32" else (values.view(np.uint32) >> 16).astype(np.uint16)
    weight = ops.pack([Tensor("w", "F32" if dtype == "F32" else "BF16", data)])
    bandwidth = _native.read_bandwidth(ops.runtime, weight.nbytes, 20)
    for rows in ROWS:
        x, y = ops.empty((rows, size), np.float32), ops.empty((rows, out), np.float32)
        x[:] = rng.standard_normal((rows, size), np.float32)
        step = ops.record(lambda x=x, y=y: ops.linear(x, weight, y), rows)
        median, best = measure(step.launch, args.rounds)
        line = f"{f'{out} x {size}':>14} {dtype:>4} {rows:>5} {median * 1e6:>10.1f} {best * 1e6:>10.1f}"
        line += f" {2e-9 * rows * out * size / best:>9.1f} {weight.nbytes / best * 1e-9:>7.1f}"
        line += f" {weight.nbytes / bandwidth / best:>9.2f}"
        if args.torch:
            peer, peer_best = measure(torch_linear(values, dtype, x, args.threads), args.rounds)
            line += f" {peer * 1e6:>10.1f} {peer_best / best:>7.2f}"
        print(line, flush=True)
    print(f"{'':>14} floor: {bandwidth * 1e-9:.1f} GB/s over {weight.nbytes / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--width")
    args = parser.parse_args()
    ops = CpuOps(args.threads, args.width)
    print(f"{args.threads} threads, {ops.runtime.width}")
    heads = ("out x in", "type", "rows", "median us", "best us", "GFLOP/s", "GB/s", "of floor")
    print(
        "{:>14} {:>4} {:>5} {:>10} {:>10} {:>9} {:>7} {:>9}".format(*heads)
        + ("   torch us   ratio" if args.torch else "")
    )
    for out, size in SHAPES:
        for dtype in ("F32", "BF16"):
            bench_shape(ops, out, size, dtype, args)
    ops.close()


if __name__ == "__main__":
    main()

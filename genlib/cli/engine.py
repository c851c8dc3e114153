"""The engine options, which all commands share."""

from __future__ import annotations

import argparse
import inspect
import re
import sys

from ..engine.engine import Engine
from .progress import shown

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of Engine. An option that is not given keeps its default in Engine."""
    group = parser.add_argument_group("engine")
    group.add_argument("--model", metavar="PATH", help="checkpoint folder (default: the embedded model)")
    group.add_argument("--device", help='device to run on: "auto" (default) or "cpu", with --kernels torch any of its')
    group.add_argument("--kernels", help='whose: "torch" for all of its devices (default: genlib\'s own, for the CPU)')
    group.add_argument(
        "--dtype", help='dtype of the weights: "auto" (default, as saved), "float32", "bfloat16" or "float16"'
    )
    group.add_argument("--threads", type=int, metavar="N", help="number of CPU threads (default: all cores)")
    group.add_argument(
        "--kv-memory", type=_size, metavar="SIZE", help="memory for the KV cache, for example 512M (default: 1G)"
    )
    numbers = {
        "max_batch": "maximum number of sequences per step",
        "prefill_chunk": "maximum number of tokens per step",
        "max_queue": "number of calls that may wait in the queue",
    }
    defaults = inspect.signature(Engine).parameters
    for name, about in numbers.items():
        described = f"{about} (default: {defaults[name].default})"
        group.add_argument("--" + name.replace("_", "-"), type=int, metavar="N", help=described)


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+)([kmg]?)(i?b)?", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"must be a size such as 512M or 2G, got {text!r}")
    return int(match[1]) * _UNITS[match[2]]


def make_engine(args: argparse.Namespace) -> Engine:
    """Creates the engine from the parsed arguments. A terminal on standard error shows how far its model is loaded."""
    names = ("device", "kernels", "dtype", "threads", "kv_memory", "max_batch", "prefill_chunk", "max_queue")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    with shown(sys.stderr) as on_progress:
        return Engine(args.model, on_progress=on_progress, **given)

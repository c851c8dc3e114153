"""genlib info: describe the model and the machine."""

from __future__ import annotations

import argparse
import json
import platform
from importlib import metadata
from pathlib import Path

from .._native import cpu_widths
from ..checkpoint.config import ModelConfig
from ..engine.engine import Engine
from ..model.load import EMBEDDED
from ..ops.cores import usable_cores
from .engine import add_engine_options, make_engine


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.set_defaults(run=info)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_engine_options(parser)


def info(args: argparse.Namespace) -> None:
    """genlib info"""
    with make_engine(args) as engine:
        facts = _facts(args, engine)
    if args.json:
        print(json.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:{width}}  {value}")


def _facts(args: argparse.Namespace, engine: Engine) -> dict[str, str | int]:
    """The model, the machine and the versions: what a bug report should include."""

    folder = EMBEDDED if args.model is None else Path(args.model)
    config, stats = ModelConfig.load(folder), engine.stats()
    return {
        "model": engine.model_name,
        "architecture": config.architecture,
        "layers": config.layers,
        "width": config.hidden,
        "heads": f"{config.heads} of size {config.head_size}, {config.kv_heads} for keys and values",
        "feed_forward": config.intermediate,
        "vocabulary": engine.vocab_size,
        "context_length": engine.context_length,
        "weight_bytes": sum(file.stat().st_size for file in folder.glob("*.safetensors")),
        "pages": stats.pages_total,
        "fingerprint": engine.fingerprint,
        "vector_width": cpu_widths()[0],
        "threads": args.threads or usable_cores(),
        **{name: _version(name) for name in ("genlib", "numpy", "tokenizers", "torch", "triton")},
        "python": platform.python_version(),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"

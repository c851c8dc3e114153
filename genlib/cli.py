"""The command `genlib`: generate, serve, info. What is heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from .checks import check_int, refuse
from .errors import GenlibError, InvalidRequest

if TYPE_CHECKING:
    from .calls.results import Piece, TokenResult
    from .engine.engine import Engine

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status: 0, 1 when it failed, 2 when it was asked for wrongly."""
    args = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], None] = args.run
    try:
        run(args)
        sys.stdout.flush()
    except GenlibError as error:
        print(f"genlib: {error}", file=sys.stderr)
        return 2 if isinstance(error, InvalidRequest) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who read our output has gone; what is left in the buffer must not fail a second time at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="genlib", description="Stateful text generation.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_generate(commands.add_parser("generate", help="continue a text"))
    _add_serve(commands.add_parser("serve", help="answer over HTTP"))
    _add_info(commands.add_parser("info", help="show the model and the machine"))
    return parser


def _add_engine(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("engine")
    group.add_argument("--model", metavar="PATH", help="a checkpoint's folder (default: the embedded model)")
    group.add_argument("--device", help='"auto" or "cpu"')
    group.add_argument("--dtype", help='of the weights: "auto", "float32", "bfloat16" or "float16"')
    group.add_argument("--threads", type=int, metavar="N", help="of the CPU (default: all cores)")
    group.add_argument("--kv-memory", type=_size, metavar="SIZE", help="for keys and values, such as 512M or 2G")
    group.add_argument("--max-batch", type=int, metavar="N", help="most sequences in a step")
    group.add_argument("--prefill-chunk", type=int, metavar="N", help="most tokens in a step")
    group.add_argument("--max-queue", type=int, metavar="N", help="most calls that wait")


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=generate)
    parser.add_argument("prompt", metavar="PROMPT", help="the text to continue; - reads it from standard input")
    parser.add_argument("--max-tokens", type=int, default=64, metavar="N", help="default: 64")
    parser.add_argument("--temperature", type=float, default=1.0, metavar="T", help="0 is greedy (default: 1)")
    parser.add_argument("--top-p", type=float, default=1.0, metavar="P", help="1 is off (default: 1)")
    parser.add_argument("--top-k", type=int, default=0, metavar="K", help="0 is off (default: 0)")
    parser.add_argument("--min-p", type=float, default=0.0, metavar="P", help="0 is off (default: 0)")
    about = "of tokens that occurred (default: 1, off)"
    parser.add_argument("--repetition-penalty", type=float, default=1.0, metavar="P", help=about)
    about = "of tokens that were generated, {} (default: 0, off)"
    parser.add_argument("--presence-penalty", type=float, default=0.0, metavar="P", help=about.format("once"))
    parser.add_argument("--frequency-penalty", type=float, default=0.0, metavar="P", help=about.format("each time"))
    parser.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same text")
    parser.add_argument("--stop", action="append", metavar="TEXT", help="end here; may be given many times")
    parser.add_argument("--min-tokens", type=int, default=0, metavar="N", help="do not end before (default: 0)")
    parser.add_argument("--ignore-eos", action="store_true", help="go on past an end of text")
    parser.add_argument("--top-logprobs", type=int, default=0, metavar="N", help="most likely tokens, with --json")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print the answer as one JSON object")
    shown.add_argument("--probabilities", action="store_true", help="print each token with its probability")
    _add_engine(parser)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=serve)
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: 8000)")
    parser.add_argument("--api-key-file", metavar="FILE", help="its text is the key that requests must carry")
    parser.add_argument(
        "--drain-timeout", type=int, default=30, metavar="S", help="for running requests at the end (default: 30)"
    )
    levels = ("critical", "error", "warning", "info", "debug")
    parser.add_argument("--log-level", choices=levels, default="warning", help="default: warning")
    _add_engine(parser)


def _add_info(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=info)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    _add_engine(parser)


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+)([kmg]?)(i?b)?", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"must be bytes, such as 512M or 2G, got {text!r}")
    return int(match[1]) * _UNITS[match[2]]


def _engine(args: argparse.Namespace) -> Engine:
    from .engine.engine import Engine  # noqa: PLC0415 (`genlib --help` must not wait for it)

    names = ("device", "dtype", "threads", "kv_memory", "max_batch", "prefill_chunk", "max_queue")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return Engine(args.model, **given)


def generate(args: argparse.Namespace) -> None:
    """genlib generate PROMPT"""
    from .calls.requests import GenerateToken  # noqa: PLC0415
    from .sampling.params import Sampling  # noqa: PLC0415

    prompt = sys.stdin.read() if args.prompt == "-" else args.prompt
    sampling = Sampling(**{f.name: getattr(args, f.name) for f in dataclasses.fields(Sampling) if f.name in args})
    if args.top_logprobs and not args.json:
        raise refuse("top_logprobs", "come with --json, which shows them", args.top_logprobs)
    with _engine(args) as engine:
        request = GenerateToken(
            engine.create_state(prompt),
            max_tokens=args.max_tokens,
            min_tokens=args.min_tokens,
            sampling=sampling,
            stop_sequences=tuple(args.stop or ()),
            ignore_eos=args.ignore_eos,
            top_logprobs=args.top_logprobs,
        )
        call = engine.submit(request, stream=not args.json)
        if args.json:
            print(_json(prompt, call.result()))
            return
        if not args.probabilities:
            print(prompt, end="", flush=True)
        for piece in call:
            print(_row(piece) if args.probabilities else piece.text, end="", flush=True)
        print("" if args.probabilities else "\n", end="")
        if args.seed is None and args.temperature:
            print(f"genlib: --seed {call.result().seed} gives this text again", file=sys.stderr)


def _json(prompt: str, result: TokenResult) -> str:
    fields = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
    del fields["state_id"], fields["state"]  # they end with this process
    return json.dumps({"prompt": prompt, **fields}, ensure_ascii=False, allow_nan=False, default=dataclasses.asdict)


def _row(piece: Piece) -> str:
    """One line for each token: its probability, and its text with whitespace made visible."""
    pairs = zip(piece.probabilities, piece.new_tokens, strict=True)
    return "".join(f"{probability:8.4f}  {json.dumps(text, ensure_ascii=False)}\n" for probability, text in pairs)


def serve(args: argparse.Namespace) -> None:
    """genlib serve"""
    try:
        from .server import create_app  # noqa: PLC0415 (an extra, which the other commands do without)
        from .server.run import address, listen  # noqa: PLC0415
        from .server.run import serve as run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise GenlibError(f"serving needs the package {error.name!r}: pip install 'genlib[server]'") from error
    check_int("port", args.port, 0, 65535)
    check_int("drain_timeout", args.drain_timeout, 0)
    key = None if args.api_key_file is None else _read_key(args.api_key_file)
    try:
        sock = listen(args.host, args.port)
    except OSError as error:
        raise GenlibError(f"cannot listen on {args.host}, port {args.port}: {error}") from error
    url = address(sock)
    run(
        partial(_engine, args),
        partial(create_app, api_key=key),
        sock,
        drain_timeout=args.drain_timeout,
        log_level=args.log_level,
        on_ready=lambda: print(f"genlib is listening on {url}", flush=True),
    )


def _read_key(path: str) -> str:
    try:
        key = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise GenlibError(f"cannot read the key from {path}: {error}") from error
    if not key:
        raise GenlibError(f"{path} holds no key")
    return key


def info(args: argparse.Namespace) -> None:
    """genlib info"""
    with _engine(args) as engine:
        facts = _facts(args, engine)
    if args.json:
        print(json.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:{width}}  {value}")


def _facts(args: argparse.Namespace, engine: Engine) -> dict[str, str | int]:
    """The model, the machine and the versions: what a report of a problem should say."""
    from ._native import cpu_widths  # noqa: PLC0415
    from .checkpoint.config import ModelConfig  # noqa: PLC0415
    from .model.load import EMBEDDED  # noqa: PLC0415
    from .ops.cpu import usable_cores  # noqa: PLC0415

    folder = EMBEDDED if args.model is None else Path(args.model)
    config, stats = ModelConfig.load(folder), engine.stats()
    return {
        "model": engine.model_name,
        "architecture": config.architecture,
        "layers": config.layers,
        "width": config.hidden,
        "heads": f"{config.heads} of {config.head_size}, {config.kv_heads} for keys and values",
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

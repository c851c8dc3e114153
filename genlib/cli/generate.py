"""genlib generate: generate text from a prompt."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from .. import defaults
from ..calls.requests import GenerateToken
from ..calls.results import Piece, TokenResult
from ..checks import refuse
from ..sampling.params import Sampling
from .engine import add_engine_options, make_engine

MAX_TOKENS = 64  # more than the API's default: at a terminal a longer text is wanted
_SAMPLING = (
    ("temperature", float, "T", "sampling temperature; 0 for greedy decoding"),
    ("top_p", float, "P", "draw from the most likely tokens whose probabilities add up to this; 1 disables it"),
    ("top_k", int, "K", "draw from the K most likely tokens; 0 disables it"),
    ("min_p", float, "P", "drop tokens below this fraction of the top probability; 0 disables it"),
    ("repetition_penalty", float, "P", "divide the logit of every token in the text by this; 1 disables it"),
    ("presence_penalty", float, "P", "subtract this from the logit of every generated token; 0 disables it"),
    ("frequency_penalty", float, "P", "the same, once per occurrence of the token; 0 disables it"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.set_defaults(run=generate)
    parser.add_argument("prompt", metavar="PROMPT", help="text to continue; - for standard input, less a final newline")
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=MAX_TOKENS,
        metavar="N",
        help=f"maximum number of new tokens (default: {MAX_TOKENS})",
    )
    for name, kind, metavar, about in _SAMPLING:
        default = getattr(defaults, name.upper())
        described = f"{about} (default: {default:g})"
        parser.add_argument("--" + name.replace("_", "-"), type=kind, default=default, metavar=metavar, help=described)
    parser.add_argument("--seed", type=int, metavar="N", help="random seed (default: a new one for every run)")
    parser.add_argument("--stop", action="append", metavar="TEXT", help="stop sequence; may be repeated")
    parser.add_argument(
        "--min-tokens",
        type=int,
        default=defaults.MIN_TOKENS,
        metavar="N",
        help="minimum number of tokens before the text may end (default: 0)",
    )
    parser.add_argument("--ignore-eos", action="store_true", help="never draw an end-of-text token")
    parser.add_argument(
        "--top-logprobs",
        type=int,
        default=defaults.TOP_LOGPROBS,
        metavar="N",
        help="with --json: also print the N most likely tokens at each position",
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print the result as one JSON object")
    shown.add_argument("--probabilities", action="store_true", help="print each token with its probability")
    add_engine_options(parser)


def generate(args: argparse.Namespace) -> None:
    """genlib generate PROMPT"""
    prompt = sys.stdin.read().removesuffix("\n") if args.prompt == "-" else args.prompt
    sampling = Sampling(**{f.name: getattr(args, f.name) for f in dataclasses.fields(Sampling) if f.name in args})
    if args.top_logprobs and not args.json:
        raise refuse("top_logprobs", "be used with --json, which prints them", args.top_logprobs)
    with make_engine(args) as engine:
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
            print(f"genlib: --seed {call.result().seed} reproduces this text", file=sys.stderr)


def _json(prompt: str, result: TokenResult) -> str:
    fields = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
    del fields["state_id"], fields["state"]  # meaningless once this process has ended
    return json.dumps({"prompt": prompt, **fields}, ensure_ascii=False, allow_nan=False, default=dataclasses.asdict)


def _row(piece: Piece) -> str:
    """One line per token: its probability, and its text as a JSON string, which shows whitespace."""
    pairs = zip(piece.probabilities, piece.new_tokens, strict=True)
    return "".join(f"{probability:8.4f}  {json.dumps(text, ensure_ascii=False)}\n" for probability, text in pairs)

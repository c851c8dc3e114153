"""The command `genlib`: what it is given goes to one of its commands, what fails becomes one line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from ..errors import GenlibError, InvalidRequest
from . import generate, info, serve


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
    generate.add_options(commands.add_parser("generate", help="continue a text"))
    serve.add_options(commands.add_parser("serve", help="answer over HTTP"))
    info.add_options(commands.add_parser("info", help="show the model and the machine"))
    return parser

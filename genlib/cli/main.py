"""The `genlib` command: parses the arguments, runs a subcommand, and prints an error as one line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from ..errors import GenlibError, InvalidRequest
from . import generate, info, serve


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status: 0, 1 on failure, 2 for invalid arguments, 130 on Ctrl-C."""
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
        # The reader of our output has gone; flushing the rest of the buffer at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="genlib", description="Stateful text generation.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    generate.add_options(commands.add_parser("generate", help="generate text from a prompt"))
    serve.add_options(commands.add_parser("serve", help="run the HTTP server"))
    info.add_options(commands.add_parser("info", help="describe the model and the machine"))
    return parser

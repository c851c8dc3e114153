"""The `genlib` command: parses the arguments, runs a subcommand, and prints an error as one line."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from ..errors import GenlibError, InvalidRequest
from . import generate, info, serve


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status: 0, 1 on failure, 2 for invalid arguments, 130 on Ctrl-C."""
    sys.stdout, sys.stderr = _opened(sys.stdout), _opened(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not have every character
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
        _drop_output()
        return 1
    except OSError as error:
        _drop_output()
        print(f"genlib: cannot write the output: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def _opened(stream: TextIO | None) -> TextIO:
    """The stream, or one to nowhere if the process was started without it. Else a socket may get its number, and
    libraries fail that ask whether it is a terminal."""
    return Path(os.devnull).open("w", encoding="utf-8") if stream is None else stream


def _drop_output() -> None:
    """Sends what is left in the buffer nowhere, so that flushing it at exit does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="genlib", description="Stateful text generation.")
    parser.add_argument("--version", action="version", version=f"genlib {version('genlib')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    generate.add_options(commands.add_parser("generate", help="generate text from a prompt"))
    serve.add_options(commands.add_parser("serve", help="run the HTTP server"))
    info.add_options(commands.add_parser("info", help="describe the model and the machine"))
    return parser

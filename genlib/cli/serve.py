"""genlib serve: run the HTTP server."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from functools import partial
from pathlib import Path

from ..checks import check_int
from ..errors import GenlibError
from .engine import add_engine_options, make_engine

log = logging.getLogger("genlib")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.set_defaults(run=serve)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 picks a free one (default: 8000)")
    parser.add_argument("--api-key-file", metavar="FILE", help="file with the API key that requests must send")
    parser.add_argument(
        "--drain-timeout",
        type=int,
        default=30,
        metavar="S",
        help="seconds for running requests to finish at shutdown (default: 30)",
    )
    parser.add_argument(
        "--forwarded-allow-ips",
        metavar="IPS",
        help="addresses of proxies, with commas between, whose X-Forwarded-For is believed (default: none)",
    )
    levels = ("critical", "error", "warning", "info", "debug")
    parser.add_argument("--log-level", choices=levels, default="warning", help="log level (default: warning)")
    add_engine_options(parser)


def serve(args: argparse.Namespace) -> None:
    """genlib serve"""
    try:
        from ..server import create_app  # noqa: PLC0415 (optional dependencies, which the other commands do not need)
        from ..server.run import address, listen  # noqa: PLC0415
        from ..server.run import serve as run  # noqa: PLC0415
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
        partial(make_engine, args),
        partial(create_app, api_key=key),
        sock,
        drain_timeout=args.drain_timeout,
        log_level=args.log_level,
        forwarded_allow_ips=args.forwarded_allow_ips,
        on_ready=lambda: _announce(f"genlib is listening on {url}\n"),
    )


def _announce(line: str) -> None:
    """Writes a line to standard output, on a thread of its own: it may be closed, or full with nobody who reads."""

    def write() -> None:
        try:
            os.write(sys.stdout.fileno(), line.encode())
        except OSError as error:
            log.warning("cannot write to standard output: %s", error)

    threading.Thread(target=write, name="genlib-announce", daemon=True).start()


def _read_key(path: str) -> str:
    try:
        key = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise GenlibError(f"cannot read the API key from {path}: {error}") from error
    if not key:
        raise GenlibError(f"{path} is empty; it must contain the API key")
    return key

"""`genlib serve` as a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def launched(*argv: str) -> Iterator[subprocess.Popen[str]]:
    """The process, which may still be loading."""
    command = [sys.executable, "-m", "genlib", "serve", "--threads", "1", *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def announced(process: subprocess.Popen[str]) -> str:
    """Waits for the line that tells that the server is ready; the URL in it."""
    assert process.stdout is not None
    line = re.fullmatch(r"genlib is listening on (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
    assert line is not None
    return line[1]


@contextmanager
def serving(*argv: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process on a free port, ready, and its URL."""
    with launched("--port", "0", *argv) as process:
        yield process, announced(process)


def finish(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """The status it ends with after a signal, and what it has printed since."""
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err

"""`genlib serve` as a process of its own."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from support.http import Answer

JSON = {"Content-Type": "application/json"}
PATIENCE = 20.0  # seconds after which a process that says nothing is taken for broken

# `genlib`, whose models are loaded once a file is there.
GATED = """
import sys, time
from pathlib import Path
from types import MappingProxyType
from genlib.cli import main
from genlib.engine import engine

gate, load = Path(sys.argv[1]), engine.load

def wait_and_load(*args):
    while not gate.exists():
        time.sleep(0.01)
    return load(*args)

engine.load = wait_and_load
sys.exit(main(sys.argv[2:]))
"""


@contextmanager
def launched(*argv: str, gate: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """The process, which may still be loading. gate: a file that it waits for before it loads its model."""
    program = ["-m", "genlib"] if gate is None else ["-c", GATED, str(gate)]
    command = [sys.executable, *program, "serve", "--threads", "1", *argv]
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


class Connection:
    """One connection that is kept alive; `ask` waits for the answer, `begin` gives it as it starts."""

    def __init__(self, url: str, *, source: str = "127.0.0.1", headers: Mapping[str, str] = MappingProxyType({})):
        self._http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE, source_address=(source, 0))
        self._headers = {**JSON, **headers}

    def begin(self, method: str, path: str, document: Any = None) -> None:
        body = None if document is None else json.dumps(document)
        self._http.request(method, path, body, self._headers)

    def answer(self) -> http.client.HTTPResponse:
        return self._http.getresponse()

    def ask(self, method: str, path: str, document: Any = None) -> Answer:
        self.begin(method, path, document)
        response = self.answer()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())

    def stay(self) -> None:
        """Fails later if the server has closed the connection: it is not opened a second time."""
        self._http.auto_open = 0

    def close(self) -> None:
        self._http.close()


def wait_for(connection: Connection, path: str, found: Any) -> Answer:
    """Asks until an answer is what is waited for."""
    end = time.monotonic() + PATIENCE
    while not found(answer := connection.ask("GET", path)):
        assert time.monotonic() < end, answer.body
    return answer

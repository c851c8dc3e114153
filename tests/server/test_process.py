"""The server as a process: it answers before its model is loaded, whatever its standard output is."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.http import refused
from support.process import PATIENCE, Connection, announced, finish, launched, serving, wait_for

from genlib.model.load import EMBEDDED
from genlib.server.protocol import bounds_of_process
from genlib.server.run import listen


@pytest.fixture
def slow_model(tmp_path: Path) -> Path:
    """A checkpoint that is loaded once it has a file `gate`."""
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).symlink_to(EMBEDDED / name)
    return tmp_path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def listening(port: int) -> Connection:
    """A connection to a process that is being started."""
    end = time.monotonic() + PATIENCE
    while True:
        connection = Connection(f"http://127.0.0.1:{port}")
        try:
            assert connection.ask("GET", "/health").json() == {"status": "ok"}
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return connection


def test_it_answers_while_the_model_is_loaded(slow_model: Path) -> None:
    port = free_port()
    with launched("--port", str(port), "--model", str(slow_model), gate=slow_model / "gate") as process:
        connection = listening(port)
        connection.stay()
        for method, path in (("GET", "/ready"), ("POST", "/v1/states"), ("POST", "/v1/generate/token"), ("GET", "/")):
            answer = connection.ask(method, path, {"prompt": "A fox"} if method == "POST" else None)
            refused(answer, 503, "loading")
            assert answer.headers["retry-after"] == "1"
        (slow_model / "gate").touch()
        assert announced(process) == f"http://127.0.0.1:{port}"
        assert connection.ask("GET", "/ready").status == 200
        assert connection.ask("POST", "/v1/states", {"prompt": "A fox"}).json()["text"] == "A fox"
        connection.close()
        assert finish(process, signal.SIGTERM) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_does_not_wait_for_the_model(slow_model: Path, number: signal.Signals) -> None:
    port = free_port()
    with launched("--port", str(port), "--model", str(slow_model), gate=slow_model / "gate") as process:
        listening(port).close()
        assert finish(process, number) == (0, "", "")


def test_a_model_that_cannot_be_loaded_ends_the_process(slow_model: Path) -> None:
    port = free_port()
    with launched("--port", str(port), "--model", str(slow_model), gate=slow_model / "gate") as process:
        listening(port).close()
        (slow_model / "config.json").unlink()
        (slow_model / "config.json").write_text("{}")
        (slow_model / "gate").touch()
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (1, "")
        assert err.startswith("genlib: ")
        assert "`rms_norm_eps`" in err
        assert "Traceback" not in err


def test_small_answers_are_sent_at_once() -> None:
    """Without waiting for the client's delayed acknowledgement."""
    with listen("127.0.0.1", 0) as sock, socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def full_pipe() -> tuple[int, int]:
    """Both ends of a pipe that takes no more bytes."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"." * 1024)
    os.set_blocking(writer, True)
    return reader, writer


@pytest.mark.parametrize("kind", ["closed", "full device", "full pipe", "pipe without a reader"])
def test_no_standard_output_keeps_it_from_serving(kind: str) -> None:
    port, descriptors = free_port(), list[int]()
    options = ["--threads", "1", "--port", str(port), "--log-level", "critical"]
    command = [sys.executable, "-m", "genlib", "serve", *options]
    if kind == "full device":
        descriptors = [os.open("/dev/full", os.O_WRONLY)]
    elif kind != "closed":
        descriptors = [*full_pipe()][::-1]
    if kind == "pipe without a reader":
        os.close(descriptors.pop())
    shell = ["sh", "-c", 'exec "$@" >&-', "sh"] if kind == "closed" else []
    stdout = descriptors[0] if descriptors else None
    with subprocess.Popen([*shell, *command], stdout=stdout, stderr=subprocess.PIPE, text=True) as process:
        connection = listening(port)
        wait_for(connection, "/ready", lambda answer: answer.status == 200)
        connection.close()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert not err or re.fullmatch(r"cannot write to standard output: .+\n", err)
    for descriptor in descriptors:
        os.close(descriptor)


def test_a_body_that_is_far_too_large_is_told() -> None:
    """The rest of it is read, so that the client, which sends all of it first, gets to the answer."""
    with serving() as (process, url):
        connection = Connection(url)
        answer = connection.ask("POST", "/v1/states", {"prompt": "x" * (64 << 20)})
        refused(answer, 413, "body_too_large")
        assert connection.ask("GET", "/health").status == 200
        connection.close()
        assert finish(process, signal.SIGTERM) == (0, "", "")


def test_clients_do_not_fill_the_log() -> None:
    with serving() as (process, url):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=PATIENCE) as client:
                client.sendall(b"what is this?\r\n\r\n")
                assert client.recv(1 << 16).startswith(b"HTTP/1.1 400 ")
        assert finish(process, signal.SIGTERM) == (0, "", "")


@pytest.mark.parametrize(("files", "connections"), [(4, 2), (60, 30), (200, 118), (4000, 1024)])
def test_few_open_files_leave_room_for_connections(
    monkeypatch: pytest.MonkeyPatch, files: int, connections: int
) -> None:
    limit = len(os.listdir("/proc/self/fd")) + files
    monkeypatch.setattr("genlib.server.protocol.resource.getrlimit", lambda _: (limit, limit))
    bounds = bounds_of_process()
    assert bounds.connections == connections
    assert bounds.connections + bounds.turned_away <= files

"""The server as a process: it answers before its model is loaded, and while its last calls end."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.http import Answer, refused
from support.process import announced, finish, launched, serving

from genlib.model.load import EMBEDDED
from genlib.server.run import listen

JSON = {"Content-Type": "application/json"}
PATIENCE = 20.0  # seconds after which a process that says nothing is taken for broken


class Connection:
    """One connection that is kept alive; `ask` waits for the answer, `begin` gives it as it starts."""

    def __init__(self, url: str) -> None:
        self._http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)

    def begin(self, method: str, path: str, document: Any = None) -> None:
        body = None if document is None else json.dumps(document)
        self._http.request(method, path, body, JSON)

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


def begin_calls(url: str, state_id: str) -> tuple[Connection, http.client.HTTPResponse, Connection]:
    """A stream of 600 tokens, whose first has come, and a call beside it that takes much longer."""
    streaming, slow = Connection(url), Connection(url)
    body = {"state_id": state_id, "max_tokens": 600, "ignore_eos": True, "stream": True}
    streaming.begin("POST", "/v1/generate/token", body)
    stream = streaming.answer()
    assert stream.readline().startswith(b"data: ")
    slow.begin("POST", "/v1/generate/multi", {"state_id": state_id, "n": 60, "max_tokens": 900, "ignore_eos": True})
    return streaming, stream, slow


def test_new_calls_are_refused_while_the_last_ones_end() -> None:
    with serving() as (process, url):
        kept = Connection(url)
        state_id = kept.ask("POST", "/v1/states", {"prompt": "A fox"}).json()["state_id"]
        streaming, stream, slow = begin_calls(url, state_id)
        wait_for(kept, "/metrics", lambda answer: b"genlib_calls_running 2.0" in answer.body)
        kept.stay()
        process.send_signal(signal.SIGTERM)
        refused(wait_for(kept, "/ready", lambda answer: answer.status != 200), 503, "draining")
        fresh = Connection(url)
        for connection in (kept, fresh):
            for path in ("/v1/generate/token", "/v1/generate/multi", "/v1/generate/beam"):
                answer = connection.ask("POST", path, {"state_id": state_id})
                refused(answer, 503, "draining")
                assert answer.headers["retry-after"] == "1"
            assert connection.ask("GET", "/health").status == 200
            assert connection.ask("GET", f"/v1/states/{state_id}").json()["text"] == "A fox"
        assert process.poll() is None
        slow.close()  # which cancels its call
        rest = stream.read()
        assert rest.endswith(b"data: [DONE]\n\n")
        assert rest.count(b"data: ") == 601
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (0, "", "")
        for connection in (kept, fresh, streaming):
            connection.close()


def test_calls_that_take_too_long_are_cancelled() -> None:
    with serving("--drain-timeout", "1", "--log-level", "critical") as (process, url):
        kept = Connection(url)
        state_id = kept.ask("POST", "/v1/states", {"prompt": "A fox"}).json()["state_id"]
        kept.begin("POST", "/v1/generate/multi", {"state_id": state_id, "n": 60, "max_tokens": 900, "ignore_eos": True})
        other = Connection(url)
        wait_for(other, "/metrics", lambda answer: b"genlib_calls_running 1.0" in answer.body)
        assert finish(process, signal.SIGTERM) == (0, "", "")
        for connection in (kept, other):
            connection.close()


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

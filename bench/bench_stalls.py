"""How long one request keeps the others waiting: a server, a stream and a health check, beside hostile requests.

    python bench/bench_stalls.py [--model FOLDER] [--only NAME] [--json FILE]

For each request: the longest time without an answer of /health, and without a token of a stream that runs beside it,
in milliseconds, with the same without it. Nothing but the request differs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from machine import machine

MIB = 1 << 20
GENERATE = "/v1/generate/"


def requests(vocab: int) -> dict[str, tuple[str, Callable[[str], bytes]]]:
    """By name: a path, and the body for a state's id."""

    def body(**fields: Any) -> Callable[[str], bytes]:
        return lambda state_id: json.dumps({"state_id": state_id, **fields}).encode()

    def raw(text: str) -> Callable[[str], bytes]:
        return lambda _: text.encode()

    states, token, multi = "/v1/states", GENERATE + "token", GENERATE + "multi"
    stops = [f"{i:03}" + "ab" * 120 for i in range(64)]
    return {
        "nothing": ("/health", raw("")),
        "prompt of 4 MiB: words": (states, raw(json.dumps({"prompt": "The quick brown fox. " * (4 * MIB // 21)}))),
        "prompt of 4 MiB: one letter": (states, raw(json.dumps({"prompt": "a" * (4 * MIB)}))),
        "prompt of 4 MiB: spaces": (states, raw(json.dumps({"prompt": " " * (4 * MIB)}))),
        "prompt of 4 MiB: digits": (states, raw(json.dumps({"prompt": "0123456789" * (4 * MIB // 10)}))),
        "prompt of 3 MiB: emoji": (states, raw(json.dumps({"prompt": "🦊" * (MIB * 3 // 4)}, ensure_ascii=False))),
        "2 million token ids": (states, raw('{"tokens": [' + "1," * (2 * MIB) + "1]}")),
        "1 million empty lists": (states, raw('{"tokens": [' + "[]," * MIB + "[]]}")),
        "1 million empty objects": (states, raw('{"tokens": [' + "{}," * MIB + "{}]}")),
        "1 million empty strings": (states, raw('{"stop_sequences": [' + '"",' * MIB + '""]}')),
        "1 million fields": (states, raw("{" + ",".join(f'"{i}":1' for i in range(MIB // 2)) + "}")),
        "a number of 4 MiB": (states, raw('{"tokens": [' + "1" * (4 * MIB) + "]}")),
        "a fraction of 4 MiB": (states, raw('{"tokens": [0.' + "1" * (4 * MIB) + "]}")),
        "400,000 chunks of a byte": (states, lambda _: Chunked(b"1\r\n \r\n" * 400_000 + b"2\r\n{}\r\n0\r\n\r\n")),
        "nested lists": (states, raw('{"tokens": ' + "[" * (2 * MIB) + "]" * (2 * MIB) + "}")),
        "long stop sequences": (token, body(stop_sequences=stops, max_tokens=200, ignore_eos=True)),
        "1024 continuations of 100": (multi, body(n=1024, max_tokens=100, ignore_eos=True)),
        "1024 kept continuations": (multi, body(n=1024, max_tokens=1, keep_states=True, ignore_eos=True)),
        "64 top logprobs, 1024 times 1": (multi, body(n=1024, max_tokens=1, top_logprobs=64, ignore_eos=True)),
        "64 top logprobs, 256 times 200": (multi, body(n=256, max_tokens=200, top_logprobs=64, ignore_eos=True)),
        "all token ids allowed": (multi, body(n=64, max_tokens=50, allowed_tokens=list(range(vocab)))),
        "1024 biases": (multi, body(n=64, max_tokens=50, logit_bias={str(i): 1 for i in range(1024)})),
        "64 beams of 500": (GENERATE + "beam", body(num_beams=64, max_length=500)),
    }


@contextmanager
def serving(model: str | None) -> Iterator[str]:
    command = [sys.executable, "-m", "genlib", "serve", "--port", "0", "--log-level", "critical"]
    with subprocess.Popen([*command, *(["--model", model] if model else [])], stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        found = re.search(r"http://(\S+)", it.stdout.readline())
        assert found is not None
        try:
            yield found[1]
        finally:
            it.kill()


class Chunked(bytes):
    """A body in chunks, as it is sent."""


def ask(address: str, path: str, data: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address, timeout=300)
    if isinstance(data, Chunked):
        connection.putrequest("POST", path)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders(data)
    else:
        connection.request("GET" if data is None else "POST", path, data, {"Content-Type": "application/json"})
    response = connection.getresponse()
    found = response.status, response.read()
    connection.close()
    return found


class Gaps:
    """The longest time between two beats."""

    def __init__(self) -> None:
        self.longest, self._last = 0.0, time.perf_counter()

    def beat(self) -> None:
        now = time.perf_counter()
        self.longest, self._last = max(self.longest, now - self._last), now


class Bystander(threading.Thread):
    """Does something again and again, until it is over."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address, self.gaps, self.over = address, Gaps(), threading.Event()

    def end(self) -> float:
        """The longest gap, in milliseconds."""
        self.over.set()
        self.join()
        return self.gaps.longest * 1e3


class Prober(Bystander):
    def run(self) -> None:
        connection = http.client.HTTPConnection(self.address, timeout=300)
        while not self.over.is_set():
            connection.request("GET", "/health")
            connection.getresponse().read()
            self.gaps.beat()
            time.sleep(0.002)


class Reader(Bystander):
    def run(self) -> None:
        found = ask(self.address, "/v1/states", b'{"prompt": "The quick brown fox"}')
        state_id = json.loads(found[1])["state_id"]
        while not self.over.is_set():
            fields = {"state_id": state_id, "max_tokens": 400, "ignore_eos": True, "stream": True}
            connection = http.client.HTTPConnection(self.address, timeout=300)
            connection.request("POST", GENERATE + "token", json.dumps(fields), {"Content-Type": "application/json"})
            for line in connection.getresponse():
                if line.startswith(b"data: {"):
                    self.gaps.beat()
                if self.over.is_set():
                    break
            connection.close()
            ask(self.address, f"/v1/states/{state_id}/truncate", b'{"num_tokens": 1}')


def measure(address: str, path: str, data: bytes) -> dict[str, Any]:
    """The gaps while one request runs, and for a quarter of a second around it."""
    bystanders = [Prober(address), Reader(address)]
    for one in bystanders:
        one.start()
    time.sleep(0.25)
    for one in bystanders:
        one.gaps.longest = 0.0
    began = time.perf_counter()
    status, answer = ask(address, path, data or None)
    seconds = time.perf_counter() - began
    time.sleep(0.25)
    health, token = (one.end() for one in bystanders)
    return {
        "status": status,
        "answer_bytes": len(answer),
        "seconds": seconds,
        "health_ms": health,
        "token_ms": token,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a checkpoint folder; else the embedded model")
    parser.add_argument("--only", help="part of the names of the requests to send")
    parser.add_argument("--json", type=Path, help="a line is added to this file")
    arguments = parser.parse_args()
    found = {}
    print(f"{'request':32} {'status':>6} {'answer':>12} {'seconds':>8} {'health ms':>10} {'token ms':>9}")
    for name, (path, body) in requests(4096).items():
        if arguments.only is not None and arguments.only not in name:
            continue
        with serving(arguments.model) as address:
            state_id = json.loads(ask(address, "/v1/states", b'{"prompt": "Once upon a time"}')[1])["state_id"]
            it = found[name] = measure(address, path, body(state_id))
        print(
            f"{name:32} {it['status']:6} {it['answer_bytes']:12,} {it['seconds']:8.2f}"
            f" {it['health_ms']:10.1f} {it['token_ms']:9.1f}",
            flush=True,
        )
    if arguments.json:
        with arguments.json.open("a") as file:
            print(json.dumps(machine() | {"requests": found}), file=file)


if __name__ == "__main__":
    main()

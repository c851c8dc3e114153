"""A client that speaks ASGI without a socket, and a reader of event streams."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

GENERATE = ["/v1/generate/token", "/v1/generate/multi", "/v1/generate/beam"]
TOKEN = {"text", "new_tokens", "probabilities", "finished", "finish_reason"}
MORE = {"token_ids", "logprobs", "seed", "stop_sequence", "stop_start", "top_logprobs"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. status 0: nothing did."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is not JSON")

        return json.loads(self.body, parse_constant=refuse)


class Client:
    """Drives an ASGI app in an event loop of its own."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._runner = asyncio.Runner()

    def close(self) -> None:
        self._runner.close()

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self.send("GET", path, **kwargs)

    def post(self, path: str, document: Any = None, **kwargs: Any) -> Answer:
        if document is not None:
            kwargs["body"] = json.dumps(document).encode()
        return self.send("POST", path, **kwargs)

    def send(self, method: str, path: str, **kwargs: Any) -> Answer:
        return self._runner.run(exchange(self.app, method, path, **kwargs))

    def run(self, coroutine: Any) -> Any:
        return self._runner.run(coroutine)


async def exchange(
    app: Any,
    method: str,
    path: str,
    *,
    body: bytes | list[bytes] = b"",
    headers: dict[str, str] | None = None,
    query: str = "",
    root_path: str = "",
    leave: asyncio.Event | None = None,
    heard: list[bytes] | None = None,
) -> Answer:
    """One request. A body in parts is sent without a content length. The client goes when `leave` is set;
    parts of the answer are added to `heard` as they come."""
    parts = body if isinstance(body, list) else [body]
    sent = {"content-type": "application/json", **(headers or {})}
    if not isinstance(body, list):
        sent.setdefault("content-length", str(len(body)))
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "root_path": root_path, "scheme": "http", "server": ("test", 80), "client": ("test", 1),
        "headers": [(k.lower().encode(), v.encode("utf-8")) for k, v in sent.items()],
    }  # fmt: skip
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting[-1]["more_body"] = False
    start: dict[str, Any] = {"status": 0, "headers": []}
    chunks = heard if heard is not None else []

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        await (leave or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    received = {k.decode(): v.decode() for k, v in start["headers"]}
    return Answer(start["status"], received, b"".join(chunks))


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    data: str


def read_events(text: str) -> tuple[list[Event], list[str]]:
    """The events and the comments of a text/event-stream, by the rules that browsers follow."""
    events, comments, name, data = [], [], "message", []
    for line in text.split("\n"):
        if line.startswith(":"):
            comments.append(line[1:].strip())
        elif not line:
            if data:
                events.append(Event(name, "\n".join(data)))
            name, data = "message", []
        else:
            key, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if key == "event":
                name = value
            elif key == "data":
                data.append(value)
            else:
                raise AssertionError(f"unknown field in a stream: {line!r}")
    assert not data, "the stream ends within an event"
    return events, comments


def refused(answer: Answer, status: int, code: str, param: str | None = None) -> dict[str, Any]:
    """The error of an answer that is a refusal in every part."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    return error

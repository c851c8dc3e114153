"""An engine whose steps a test holds and breaks, and what the tests of the server share."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from support.http import Client
from support.server_calls import FakeCall, FakeState, length_of

from genlib.calls.requests import GenerateToken, Score
from genlib.checks import check_exactly_one, check_int, check_text
from genlib.errors import ContextLengthExceeded, InvalidRequest, StateNotFound
from genlib.server import create_app

CONTEXT = 64


@dataclass(frozen=True, slots=True)
class FakeStats:
    num_states: int
    running: int = 1
    waiting: int = 2
    pages_total: int = 100
    pages_free: int = 90
    steps: int = 7
    prompt_tokens: int = 30
    generated_tokens: int = 12
    last_step_age: float = 0.0
    uptime: float = 5.0


@dataclass
class FakeEngine:
    """free: calls go on while it is set. hold_after: a stream clears it after so many pieces. fail_after: a
    call raises `failure` after so many tokens. refusal: submit raises it."""

    free: threading.Event = field(default_factory=threading.Event)
    open: dict[str, FakeState] = field(default_factory=dict)
    calls: list[FakeCall] = field(default_factory=list)
    hold_after: int | None = None
    fail_after: int | None = None
    failure: Exception | None = None
    refusal: Exception | None = None
    probability: float = 0.5
    step_age: float = 0.0
    fingerprint: str = "f1ngerpr1nt"
    context_length: int = CONTEXT
    max_batch: int = 64
    vocab_size: int = 0x110000
    model_name: str = "fake"

    def __post_init__(self) -> None:
        self.free.set()

    def create_state(
        self,
        prompt: str | None = None,
        *,
        tokens: Iterable[int] | None = None,
        stop_sequences: Iterable[str] = (),
    ) -> FakeState:
        check_exactly_one(prompt=prompt, tokens=tokens)
        self.check_length(len(prompt or ""), "prompt")
        given = list(map(ord, check_text("prompt", prompt))) if tokens is None else list(tokens)
        for i, token in enumerate(given):
            check_int(f"tokens[{i}]", token, 0, 0x10FFFF)
        if not given:
            raise InvalidRequest("`prompt` must not be empty", param="prompt")
        self.check_length(len(given), "tokens")
        return FakeState(self, given, stop_sequences)

    def tokens_behind(self, state: FakeState, text: str, param: str = "text") -> tuple[int, ...]:
        self.check_length(state.num_tokens + len(text), param)
        return state.tokenize(text)

    def state(self, state_id: str) -> FakeState:
        if state_id not in self.open:
            raise StateNotFound(f"no state has the id {state_id!r}")
        return self.open[state_id]

    def states(self) -> list[FakeState]:
        return list(self.open.values())

    @property
    def loop(self) -> SimpleNamespace:
        return SimpleNamespace(last_step_age=self.step_age)

    def stats(self) -> FakeStats:
        return FakeStats(num_states=len(self.open), last_step_age=self.step_age)

    def check_length(self, length: int, param: str) -> None:
        if length > CONTEXT:
            raise ContextLengthExceeded(f"{length} tokens are more than the context's {CONTEXT}", param=param)

    def submit(self, request: Any, *, stream: bool = False, caller: str = "") -> FakeCall:
        if self.refusal is not None:
            raise self.refusal
        if not isinstance(request, Score):
            new = length_of(request)
            self.check_length(request.state.num_tokens + new, "max_tokens")
        if isinstance(request, GenerateToken):
            request.state.check_free()
        call = FakeCall(self, request, stream=stream)
        self.calls.append(call)
        return call


# What the tests of the server share. They make fixtures of the generators.


def engines() -> Iterator[FakeEngine]:
    engine = FakeEngine()
    yield engine
    for call in engine.calls:
        call.cancel()


def clients(engine: FakeEngine) -> Iterator[Client]:
    client = Client(create_app(engine, keep_alive=0.05))  # type: ignore[arg-type]
    yield client
    client.close()


def states(engine: FakeEngine) -> FakeState:
    return engine.create_state("fox", stop_sequences=["!"])

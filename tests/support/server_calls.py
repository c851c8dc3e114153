"""States and calls of an engine whose steps a test holds and breaks."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from genlib.calls.requests import GenerateToken, Score
from genlib.calls.results import BeamResult, MultiResult, Piece, TokenResult
from genlib.checks import check_int, check_stop_sequences, check_text
from genlib.errors import CallCancelled, StateBusy
from genlib.states.score import ScoreResult

if TYPE_CHECKING:
    from support.server import FakeEngine

WORD = "ab é\n."


UNFINISHED: dict[str, Any] = {"finished": False, "finish_reason": None, "stop_sequence": None}


def length_of(request: Any) -> int:
    """How many tokens a request makes."""
    if not hasattr(request, "max_tokens"):
        return int(request.max_length)
    return int(request.max_tokens or request.state.engine.context_length - request.state.num_tokens)


class FakeState:
    """Its tokens are the code points of its text."""

    def __init__(self, engine: FakeEngine, tokens: Iterable[int], stops: Iterable[str]) -> None:
        self.id = f"state-{uuid.uuid4().hex}"
        self.engine = engine
        self.tokens = tuple(tokens)
        self.stop_sequences = check_stop_sequences(list(stops))
        self.finished = False
        self.created_at = time.time()
        self.writer: FakeCall | None = None
        engine.open[self.id] = self

    @property
    def num_tokens(self) -> int:
        return len(self.tokens)

    @property
    def text(self) -> str:
        return "".join(map(chr, self.tokens))

    def fork(self) -> FakeState:
        return FakeState(self.engine, self.tokens, self.stop_sequences)

    def append(self, text: str) -> None:
        self.check_free()
        self.engine.check_length(len(self.tokens) + len(text), "text")
        self.tokens += self.tokenize(text)

    def truncate(self, num_tokens: int) -> None:
        self.check_free()
        check_int("num_tokens", num_tokens, 1, len(self.tokens))
        self.tokens = self.tokens[:num_tokens]

    def tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, check_text("text", text)))

    def close(self) -> None:
        self.check_free()
        self.engine.open.pop(self.id, None)

    def check_free(self) -> None:
        if self.writer is not None:
            raise StateBusy(f"{self.id} is being written")


class FakeCall:
    """Runs on a thread of its own: one piece, then it waits until the engine is not held."""

    def __init__(self, engine: FakeEngine, request: Any, *, stream: bool) -> None:
        self.engine, self.request, self.stream = engine, request, stream
        self.pieces: queue.Queue[Piece | None] = queue.Queue()
        self.ended = threading.Event()
        self.cancelled = threading.Event()
        self.outcome: Any = None
        if isinstance(request, GenerateToken):
            request.state.writer = self
        threading.Thread(target=self._run, daemon=True).start()

    async def wait(self) -> None:
        await self

    def result(self) -> Any:
        assert self.ended.is_set()
        return self.outcome

    def cancel(self) -> None:
        if not self.ended.is_set():
            self.cancelled.set()

    def _run(self) -> None:
        try:
            self.outcome = self._compute()
        except Exception as error:
            self.outcome = error
        finally:
            if isinstance(self.request, GenerateToken):
                self.request.state.writer = None
            self.ended.set()
            self.pieces.put(None)

    def _compute(self) -> Any:
        request, state = self.request, self.request.state
        if isinstance(request, Score):
            logprobs = tuple(-0.5 for _ in request.token_ids)
            texts = tuple(map(chr, request.token_ids))
            return ScoreResult(state.id, request.token_ids, logprobs, sum(logprobs), -0.5, texts, False)
        count = length_of(request)
        pieces = [self._piece(i) for i in range(count)]
        if isinstance(request, GenerateToken):
            state.tokens += tuple(ord(piece.text) for piece in pieces)
            return self._total(pieces)
        if hasattr(request, "n"):
            kept = [state.fork() if request.keep_states else None for _ in range(request.n)]
            return MultiResult(state.id, tuple(self._total(pieces, state=k) for k in kept), pieces[0].seed)
        found = request.num_return or request.num_beams
        ids = tuple(piece.token_ids[0] for piece in pieces)
        states = tuple(state.fork() for _ in range(found)) if request.keep_states else ()
        scores = tuple(-1.0 - i for i in range(found))
        return BeamResult(state.id, ("".join(map(chr, ids)),) * found, scores, (ids,) * found, (False,) * found, states)

    def _piece(self, i: int) -> Piece:
        while not self.engine.free.wait(0.005) or self.cancelled.is_set():
            if self.cancelled.is_set():
                raise CallCancelled("the call was cancelled; its state is as it was")
        if i == self.engine.fail_after:
            assert self.engine.failure is not None
            raise self.engine.failure
        text, seed = WORD[i % len(WORD)], getattr(getattr(self.request, "sampling", None), "seed", None)
        piece = Piece(
            state_id=self.request.state.id,
            text=text,
            new_tokens=(text,),
            token_ids=(ord(text),),
            probabilities=(self.engine.probability,),
            logprobs=(-0.7,),
            **UNFINISHED,
            seed=42 if seed is None else seed,
        )
        if self.stream:
            self.pieces.put(piece)
            if self.engine.hold_after == i + 1:
                self.engine.free.clear()
        return piece

    def _total(self, pieces: list[Piece], state: FakeState | None = None) -> TokenResult:
        words = tuple(piece.text for piece in pieces)
        return TokenResult(
            state_id=self.request.state.id,
            text="".join(words),
            new_tokens=words,
            token_ids=tuple(map(ord, words)),
            probabilities=tuple(p.probabilities[0] for p in pieces),
            logprobs=tuple(p.logprobs[0] for p in pieces),
            **UNFINISHED,
            seed=pieces[0].seed,
            state=state,  # type: ignore[arg-type]
        )

    def __await__(self) -> Any:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        while not self.ended.is_set():
            await asyncio.sleep(0.001)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def __aiter__(self) -> Any:
        while True:
            try:
                piece = self.pieces.get_nowait()
            except queue.Empty:
                await asyncio.sleep(0.001)
                continue
            if piece is None:
                break
            yield piece
        if isinstance(self.outcome, Exception):
            raise self.outcome

"""The states of an engine: how they are made, found, read and changed."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext

from ..calls.call import Call
from ..calls.requests import Request, Score, ScoreMany
from ..calls.results import R
from ..checks import as_list, check_exactly_one, check_int, check_stop_sequences, check_text, plain, refuse
from ..errors import InvalidRequest
from ..handles import Handle
from ..model.base import LoadedModel
from ..states.cache import Cache
from ..states.record import Record
from ..states.score import ScoreResult
from ..states.state import State
from ..states.store import Store
from .limits import Limits
from .open_calls import OpenCalls


class Keeper(Handle, ABC):
    """The states' side of an engine. `calls`: what ends the calls that write to them."""

    INSTEAD = "make one in each process"

    def __init__(self, loaded: LoadedModel, limits: Limits, calls: OpenCalls) -> None:
        self.tokenizer = loaded.tokenizer
        self.calls = calls
        self.cache = Cache(limits.num_pages)
        self.store = Store(self, self.cache)
        self._limits = limits

    @property
    def lock(self) -> threading.RLock:
        """Guards the states, the pages and the scheduler. For `with`: see OpenCalls.lock_for_use."""
        return self.calls.lock_for_use()

    def create_state(
        self,
        prompt: str | None = None,
        *,
        tokens: Sequence[int] | None = None,
        stop_sequences: Sequence[str] = (),
        namespace: str = "",
    ) -> State:
        """Creates a state from a prompt (BOS is added, control tokens are not parsed) or from token ids, used as given.

        stop_sequences: of calls that give none; at most 64. namespace: states share pages only within one. Raises
        InvalidRequest, ContextLengthExceeded.
        """
        check_exactly_one(prompt=prompt, tokens=tokens)
        stops = check_stop_sequences(stop_sequences)
        ids = self._first_tokens(prompt) if tokens is None else self._limits.check_tokens(tokens)
        name = "prompt" if tokens is None else "tokens"
        if not ids:
            raise InvalidRequest(f"`{name}` must not be empty: this model has no BOS to begin with", param=name)
        self._limits.check_context(len(ids), name)
        check_text("namespace", namespace)
        with self.lock:
            self.calls.check_open()
            return self.store.add(Record.given(ids, stops, self.store.namespace(namespace)))

    def _first_tokens(self, prompt: str | None) -> list[int]:
        prefix_ids, text = self.tokenizer.prefix_ids, check_text("prompt", prompt)
        self._check_text_fits("prompt", text, len(prefix_ids))
        return [*prefix_ids, *self.tokenizer.encode(text)]

    def _check_text_fits(self, param: str, text: str, have: int) -> None:
        """Before a text is tokenised, which takes long if it is long: whether it can fit behind `have` tokens."""
        self._limits.check_context(have + self.tokenizer.least_tokens(text), param, about="at least ")

    def state(self, state_id: str) -> State:
        """The state with this id. Raises StateNotFound."""
        if not isinstance(state_id, str):
            raise refuse("state_id", "be a string", state_id)
        with self.lock:
            return self.store.get(state_id)

    def states(self) -> list[State]:
        """All states, oldest first."""
        with self.lock:
            return self.store.all()

    def read(self, state: State) -> Record:
        """The record of a state. Raises StateNotFound if the state is closed."""
        if self.calls.any_posted and not (self.calls.on_thread or self.calls.owned):
            self.calls.lock_for_use()
        return self.store.read(state)

    def text(self, state: State) -> str:
        """See State.text. A token mask may ask for it too, which the engine's thread calls with the lock held."""
        record = self.read(state)
        with nullcontext() if self.calls.on_thread else self.lock:
            record = record.copy()  # a long text takes longer than a step
        return record.text(self.tokenizer)

    def fork(self, state: State) -> State:
        """See State.fork."""
        with self.lock:
            self.calls.check_open()
            return self.store.fork(state)

    def tokenize(self, text: str, param: str = "text") -> tuple[int, ...]:
        """The token ids of a text as a continuation, without BOS. Raises InvalidRequest, which names `param`."""
        return tuple(self.tokenizer.encode(check_text(param, text), continues=True))

    def tokens_behind(self, state: State, text: str, param: str = "text") -> tuple[int, ...]:
        """`tokenize`, for a text that is to follow a state: one that cannot fit is refused before, since that can take
        long and much memory."""
        self._check_text_fits(param, check_text(param, text), len(self.read(state).tokens))
        return self.tokenize(text, param)

    def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of token ids as a continuation: "" for control tokens, U+FFFD for bytes that are no character.

        `detokenize(tokenize(text)) == text`. Raises InvalidRequest.
        """
        ids = self._limits.check_tokens(tokens)
        return b"".join(map(self.tokenizer.token_bytes, ids)).decode("utf-8", "replace")

    def append(self, state: State, text: str) -> None:
        """See State.append."""
        token_ids = self.tokens_behind(state, text)
        with self.lock:
            self._limits.check_context(len(self.store.read(state).tokens) + len(token_ids), "text")
            self.store.append(state, token_ids)

    def truncate(self, state: State, num_tokens: int) -> None:
        """See State.truncate."""
        num_tokens = plain(num_tokens)
        with self.lock:
            check_int("num_tokens", num_tokens, 1, len(self.store.read(state).tokens))
            self.store.truncate(state, num_tokens)

    def close_state(self, state: State) -> None:
        """See State.close."""
        with self.lock:
            self.calls.drop_unread(self.store.writer(state))
            self.store.close(state)

    @abstractmethod
    def submit(
        self, request: Request[R], *, stream: bool = False, timeout: float | None = None, wait: bool = False
    ) -> Call[R]:
        """Starts a call, or queues it."""

    def score(self, state: State, text: str) -> Call[ScoreResult]:
        """Log-probabilities of a text's tokens, were they to follow the state. See State.score."""
        return self.submit(Score(state, self.tokens_behind(state, text)))

    def score_many(self, state: State, texts: Sequence[str]) -> Call[tuple[ScoreResult, ...]]:
        """The same of many texts, each as if it were alone."""
        given = as_list("texts", "be a list of strings", texts)
        ids = tuple(self.tokens_behind(state, text, f"texts[{i}]") for i, text in enumerate(given))
        return self.submit(ScoreMany(state, ids))

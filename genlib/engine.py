"""The engine: owner of the model, the pages, the states, and the one thread that steps."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Sequence
from typing import Any, overload

from . import types as t
from .batch import Batch, max_pages
from .beam_job import BeamJob
from .cache import Cache
from .call import Call
from .continuation import Continuation
from .errors import InvalidRequest, OutOfCapacity
from .jobs import BaseJob, ScoreJob, TokenJob
from .limits import Limits
from .loop import Loop
from .model.base import LoadedModel
from .model.load import load
from .multi_job import MultiJob
from .scheduler import Job, Scheduler
from .state import Record, Segment, State
from .stats import EngineStats
from .store import Store

DEFAULT_KV_MEMORY = 1 << 30


class Engine:
    """Loads a model and runs calls on its states, many at a time. A context manager.

    model: a checkpoint's folder as Hugging Face lays it out, a LoadedModel, or None for the embedded one.
    device: "auto" or "cpu". dtype of the weights: "auto" (the checkpoint's), "float32", "bfloat16", "float16".
    threads: for the CPU's operations; None is all cores of this process. kv_memory: bytes for pages.
    max_batch: most sequences in a step. prefill_chunk: most tokens in a step. max_queue: most calls that wait.
    batch_invariant: results never depend on the batch; on the CPU they never do, whatever this says.
    state_dir: durable states; not in this version, leave it None.
    Raises CheckpointError, BackendError, InvalidRequest. Many threads and coroutines may use one engine.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | LoadedModel | None = None,
        *,
        device: str = "auto",
        dtype: str = "auto",
        threads: int | None = None,
        kv_memory: int | None = None,
        max_batch: int = 64,
        prefill_chunk: int = 512,
        max_queue: int = 256,
        batch_invariant: bool = True,
        state_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        for name, value in (
            ("max_batch", max_batch),
            ("prefill_chunk", prefill_chunk),
            ("max_queue", max_queue),
        ):
            t.check_int(name, value, 1)
        t.check_bool("batch_invariant", batch_invariant)
        for name, maybe in (("threads", threads), ("kv_memory", kv_memory)):
            if maybe is not None:
                t.check_int(name, maybe, 1)
        if state_dir is not None:
            raise t.refuse("state_dir", "be None: durable states are not in this version", state_dir)
        loaded = model if isinstance(model, LoadedModel) else load(model, device, dtype, threads)
        self.tokenizer = loaded.tokenizer
        self.eos_ids = loaded.eos_ids
        self.model_name = loaded.name
        self.fingerprint = loaded.fingerprint
        self.context_length = loaded.model.context_length
        self.vocab_size = loaded.model.vocab_size
        self._limits = Limits(self.vocab_size, self.context_length, max_batch)
        self._model = loaded.model
        self._started = time.monotonic()
        num_pages = (kv_memory or DEFAULT_KV_MEMORY) // self._model.page_bytes
        if not num_pages:
            raise t.refuse("kv_memory", f"hold at least one page ({self._model.page_bytes} bytes)", kv_memory)
        self.cache = Cache(num_pages)
        self.scheduler = Scheduler(max_batch, prefill_chunk, max_queue)
        self._store = Store(self.cache)
        self._namespaces: dict[str, int] = {}
        longest = max_pages(self.context_length)
        batch = Batch(self.scheduler.chunk, max_batch, longest, self.vocab_size, self.eos_ids)
        self._model.prepare(batch, num_pages)
        self._loop = Loop(self._model, batch, self.cache, self.scheduler, self._failed)

    @property
    def lock(self) -> threading.RLock:
        """Guards states, pages and the scheduler."""
        return self._loop.lock

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all calls with EngineClosed, then gives threads and memory back. Idempotent."""
        self._loop.close()
        self._model.close()

    def stats(self) -> EngineStats:
        """Counters, and what is going on now."""
        with self.lock:
            table, loop = self.cache.table, self._loop
            return EngineStats(
                len(self._store),
                self.scheduler.num_jobs,
                len(self.scheduler.waiting),
                self.cache.num_pages,
                table.num_free,
                loop.num_steps,
                loop.prompt_tokens,
                loop.generated_tokens,
                loop.last_step_age,
                time.monotonic() - self._started,
            )

    # States.

    def create_state(
        self,
        prompt: str | None = None,
        *,
        tokens: Sequence[int] | None = None,
        stop_sequences: Sequence[str] = (),
        namespace: str = "",
    ) -> State:
        """A new state from a text (the checkpoint's BOS is put first, control tokens are not read from it), or
        from token ids as they are. States of different namespaces never share pages.

        Raises InvalidRequest, ContextLengthExceeded.
        """
        if (prompt is None) == (tokens is None):
            raise InvalidRequest("give `prompt` or `tokens`, one of the two", param="prompt")
        stops = t.check_stop_sequences(stop_sequences)
        if tokens is None:
            ids = [*self.tokenizer.prefix_ids, *self.tokenizer.encode(t.check_text("prompt", prompt))]
        else:
            ids = self._limits.check_tokens(tokens)
        if not ids:
            name = "prompt" if tokens is None else "tokens"
            raise InvalidRequest(f"`{name}` must not be empty: this model has no BOS to begin with", param=name)
        self._limits.check_context(len(ids), "prompt" if tokens is None else "tokens")
        with self.lock:
            space = self._namespaces.setdefault(t.check_text("namespace", namespace), len(self._namespaces))
        return self._add(Record(ids, [Segment(0, False)], stops, space))

    def _add(self, record: Record, entry: int | None = None) -> State:
        state = State(self, Store.new_id(), record)
        with self.lock:
            self._store.add(state, record, entry)
        return state

    def state(self, state_id: str) -> State:
        """The state with an id. Raises StateNotFound."""
        with self.lock:
            return self._store.get(state_id)

    def states(self) -> list[State]:
        """All states, oldest first."""
        with self.lock:
            return self._store.all()

    def read(self, state: State) -> Record:
        """The record of a state. Raises StateNotFound if it was closed."""
        self._store.check_open(state)
        return state._record

    def fork(self, state: State) -> State:
        """See State.fork."""
        with self.lock:
            record = self.read(state).copy()
            forked = self._add(record)
            self.cache.share(forked, state, record)
            return forked

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, without BOS. Raises InvalidRequest."""
        return tuple(self.tokenizer.encode(t.check_text("text", text), continues=True))

    def append(self, state: State, text: str) -> None:
        """See State.append."""
        token_ids = self.tokenize(text)
        with self.lock:
            record = self.read(state)
            self._limits.check_context(len(record.tokens) + len(token_ids), "text")
            self._store.append(state, record, token_ids)

    def truncate(self, state: State, num_tokens: int) -> None:
        """See State.truncate."""
        with self.lock:
            record = self.read(state)
            t.check_int("num_tokens", num_tokens, 1, len(record.tokens))
            self._store.truncate(state, record, num_tokens)

    def close_state(self, state: State) -> None:
        """See State.close."""
        with self.lock:
            self._store.close(state)

    # Calls.

    @overload
    def submit(self, request: t.GenerateToken, *, stream: bool = False) -> Call[t.TokenResult]: ...
    @overload
    def submit(self, request: t.GenerateMulti, *, stream: bool = False) -> Call[t.MultiResult]: ...
    @overload
    def submit(self, request: t.BeamSearch, *, stream: bool = False) -> Call[t.BeamResult]: ...
    @overload
    def submit(self, request: t.Score, *, stream: bool = False) -> Call[t.ScoreResult]: ...

    def submit(self, request: t.Request, *, stream: bool = False) -> Call[Any]:
        """Starts a call, or queues it. Only GenerateToken can stream.

        Raises StateNotFound, StateBusy, ContextLengthExceeded, OutOfCapacity, QueueFull, EngineClosed, and
        InvalidRequest, at once; the state is as it was then.
        """
        t.check_bool("stream", stream)
        if stream and not isinstance(request, t.GenerateToken):
            raise t.refuse("stream", "be false for this call", stream)
        call: Call[Any] = Call(self, streams=stream)
        with self.lock:
            record = self.read(request.state)
            ended = record.finished and not isinstance(request, t.Score)
            if not ended:
                self._limits.check_request(request, len(record.tokens))
            job = self._job(request, call)
            if job.pages_needed() > self.cache.num_pages:
                raise OutOfCapacity(
                    f"the call can need {job.pages_needed()} pages, but `kv_memory` holds {self.cache.num_pages}"
                )
            if isinstance(job, TokenJob):
                self._store.check_idle(request.state)
            if ended:
                job.answer_ended()
                return call
            self._loop.submit(job)
            if isinstance(job, TokenJob):
                self._store.lock(request.state, call)
        return call

    def score(self, state: State, text: str) -> Call[t.ScoreResult]:
        """Log-probabilities of a text's tokens, were they to follow the state."""
        return self.submit(t.Score(state, self.tokenize(text)))

    def _job(self, request: t.Request, call: Call[Any]) -> BaseJob:
        if isinstance(request, t.BeamSearch):
            return BeamJob(self, call, request)
        if isinstance(request, t.Score):
            return ScoreJob(self, call, request)
        seed = request.sampling.seed
        if seed is None:
            seed = secrets.randbits(53)
        if isinstance(request, t.GenerateMulti):
            return MultiJob(self, call, request, seed)
        return TokenJob(self, call, request, seed)

    # What jobs and calls ask for.

    def cancel(self, call: Call[Any]) -> None:
        """See Call.cancel."""
        self._loop.cancel(call)

    def settle(self, call: Call[Any], taken: int | None) -> None:
        """See call.Owner: commits a stream."""
        self._loop.settle(call, taken)

    def finish(self, job: Job, result: t.Result) -> None:
        """A call has ended well: its sequences leave the batch, and whoever waits gets the result."""
        self.scheduler.end(job)
        if not job.call.streams:
            self._loop.forget(job.call)
        job.call.finish(result)

    def commit(self, job: TokenJob, entry: int | None) -> None:
        """The tokens of a call become its state's. The one place where that happens."""
        self._store.commit(job.state, self.read(job.state), job.continuation, entry)
        self._store.unlock(job.state, job.call)

    def _failed(self, job: Job) -> None:
        if isinstance(job, TokenJob):
            self._store.unlock(job.state, job.call)

    def offer(self, state: State, record: Record, entry: int) -> None:
        """A reader has computed a state's keys and values: the state may have them too."""
        if self._store.is_open(state) and self.read(state).version == record.version:
            self.cache.adopt(state, record, entry)

    def keep(self, record: Record, continuation: Continuation, stream: int, entry: int | None) -> State:
        """A continuation as a state of its own, with the pages of `entry`."""
        return self.keep_tokens(
            record,
            continuation.token_ids,
            stream,
            entry,
            finished=continuation.finish_reason == "end_of_text",
            match_end=continuation.match_end,
        )

    def keep_tokens(
        self,
        record: Record,
        token_ids: Sequence[int],
        stream: int,
        entry: int | None,
        *,
        finished: bool,
        match_end: int | None = None,
    ) -> State:
        """A new state: a record's tokens and those generated behind them, with the pages of `entry`."""
        record = record.copy()
        record.stream = stream
        if token_ids:
            record.generate(token_ids, finished=finished, match_end=match_end)
        return self._add(record, entry)

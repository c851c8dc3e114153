"""The engine: owns the model, the KV cache, the states, and the thread that steps."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence

from ..calls.call import Call
from ..calls.requests import GenerateToken, Request, Score
from ..calls.results import R
from ..checks import check_bool, check_exactly_one, check_int, check_stop_sequences, check_text, refuse
from ..errors import InvalidRequest
from ..jobs.base import Resources
from ..jobs.dispatch import job_for
from ..jobs.search_slots import SearchSlots
from ..model.base import LoadedModel
from ..model.load import load
from ..states.cache import Cache, pages_for
from ..states.record import Record
from ..states.score import ScoreResult
from ..states.state import State
from ..states.store import Store
from .batch import Batch
from .limits import Limits
from .loop import Loop
from .options import Options
from .scheduler import Scheduler
from .stats import EngineStats


class Engine:
    """Loads a model and runs calls on its states, many at a time. A context manager; many threads may use one engine.

    model: a Hugging Face checkpoint folder, a LoadedModel, or None (default) for the embedded model.
    device: "auto" (default) or "cpu".
    dtype: of the weights: "auto" (default, as in the checkpoint), "float32", "bfloat16" or "float16".
    threads: number of CPU threads, 1 to 1024. None (default): all cores that the process may use.
    kv_memory: memory for the KV cache in bytes, at least one page. None (default): 1 GiB.
    max_batch: maximum number of sequences per step, at least 1. Default 64.
    prefill_chunk: maximum number of tokens per step, at least 1; not less than max_batch is used. Default 512.
    max_queue: maximum number of queued calls, at least 1; more raise QueueFull. Default 256.
    batch_invariant: whether results must not depend on the batch. On the CPU they never do. Default True.
    state_dir: for durable states; not supported in this version: must be None.
    Raises CheckpointError, BackendError, InvalidRequest (which names the option).
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
        options = Options(
            threads=threads,
            kv_memory=kv_memory,
            max_batch=max_batch,
            prefill_chunk=prefill_chunk,
            max_queue=max_queue,
            batch_invariant=batch_invariant,
            state_dir=state_dir,
        )
        loaded = model if isinstance(model, LoadedModel) else load(model, device, dtype, threads)
        self.tokenizer = loaded.tokenizer
        self.eos_ids = loaded.eos_ids
        self.model_name, self.fingerprint = loaded.name, loaded.fingerprint
        self.context_length = loaded.model.context_length
        self.vocab_size = loaded.model.vocab_size
        self._model = loaded.model
        self._started = time.monotonic()
        self.cache = Cache(options.num_pages(self._model.page_bytes))
        self._limits = Limits.of(loaded, max_batch, self.cache.num_pages)
        self.store = Store(self, self.cache)
        self.scheduler = Scheduler(max_batch, prefill_chunk, max_queue)
        searches = SearchSlots(
            max_batch, self.context_length, self.vocab_size, self.eos_ids, self.tokenizer.token_bytes
        )
        batch = Batch(
            self.scheduler.chunk,
            max_batch,
            pages_for(self.context_length),
            self.vocab_size,
            self.eos_ids,
            searches.buffers,
        )
        self._model.prepare(batch.buffers, self.cache.num_pages)
        self.loop = Loop(self._model, batch, self.cache, self.scheduler)
        self._resources = self._resources_of(searches, batch)

    def _resources_of(self, searches: SearchSlots, batch: Batch) -> Resources:
        return Resources(
            runner=self.loop,
            cache=self.cache,
            store=self.store,
            searches=searches,
            tokenizer=self.tokenizer,
            eos_ids=self.eos_ids,
            masks=batch.masks,
            max_batch=self.scheduler.max_batch,
        )

    @property
    def lock(self) -> threading.RLock:
        """Guards the states, the pages and the scheduler."""
        return self.loop.lock

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all calls with EngineClosed and releases threads and memory. Idempotent."""
        self.loop.close()
        self._model.close()

    def stats(self) -> EngineStats:
        """A snapshot of the engine's counters and current load."""
        with self.lock:
            table, loop = self.cache.table, self.loop
            return EngineStats(
                num_states=len(self.store),
                running=self.scheduler.num_jobs,
                waiting=len(self.scheduler.waiting),
                pages_total=self.cache.num_pages,
                pages_free=table.num_free,
                page_bytes=self._model.page_bytes,
                steps=loop.num_steps,
                prompt_tokens=loop.prompt_tokens,
                generated_tokens=loop.generated_tokens,
                last_step_age=loop.last_step_age,
                uptime=time.monotonic() - self._started,
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
            return self.store.add(Record.given(ids, stops, self.store.namespace(namespace)))

    def _first_tokens(self, prompt: str | None) -> list[int]:
        return [*self.tokenizer.prefix_ids, *self.tokenizer.encode(check_text("prompt", prompt))]

    def state(self, state_id: str) -> State:
        """The state with this id. Raises StateNotFound."""
        with self.lock:
            return self.store.get(state_id)

    def states(self) -> list[State]:
        """All states, oldest first."""
        with self.lock:
            return self.store.all()

    def read(self, state: State) -> Record:
        """The record of a state. Raises StateNotFound if the state is closed."""
        return self.store.read(state)

    def fork(self, state: State) -> State:
        """See State.fork."""
        with self.lock:
            return self.store.fork(state)

    def tokenize(self, text: str) -> tuple[int, ...]:
        """The token ids of a text as a continuation, without BOS. Raises InvalidRequest."""
        return tuple(self.tokenizer.encode(check_text("text", text), continues=True))

    def append(self, state: State, text: str) -> None:
        """See State.append."""
        token_ids = self.tokenize(text)
        with self.lock:
            self._limits.check_context(len(self.read(state).tokens) + len(token_ids), "text")
            self.store.append(state, token_ids)

    def truncate(self, state: State, num_tokens: int) -> None:
        """See State.truncate."""
        with self.lock:
            check_int("num_tokens", num_tokens, 1, len(self.read(state).tokens))
            self.store.truncate(state, num_tokens)

    def close_state(self, state: State) -> None:
        """See State.close."""
        with self.lock:
            self.store.close(state)

    # Calls.

    def submit(self, request: Request[R], *, stream: bool = False) -> Call[R]:
        """Queues a call and returns its handle at once. stream: whether to iterate its tokens; GenerateToken only.

        Raises InvalidRequest, StateNotFound, StateBusy, ContextLengthExceeded, OutOfCapacity, QueueFull, EngineClosed;
        the state is then unchanged.
        """
        check_bool("stream", stream)
        if stream and not isinstance(request, GenerateToken):
            raise refuse("stream", "be false for this call", stream)
        call: Call[R] = Call(self.loop, streams=stream)
        with self.lock:
            record = self.read(request.state)
            ended = record.finished and not isinstance(request, Score)
            if not ended:
                self._limits.check_request(request, len(record.tokens))
            job = job_for(self._resources, call, request)
            self._limits.check_pages(job.pages_needed())
            job.claim()
            if ended:
                job.answer_ended()
                return call
            try:
                self.loop.submit(job)
            except Exception:
                job.release()
                raise
        return call

    def score(self, state: State, text: str) -> Call[ScoreResult]:
        """Submits the scoring of a text as a continuation of the state. See State.score."""
        return self.submit(Score(state, self.tokenize(text)))

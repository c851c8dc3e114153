"""The engine: owns the model, the KV cache, the states, and the thread that steps."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence

from ..calls.call import Call
from ..calls.channel import Channel
from ..calls.group import CallGroup
from ..calls.requests import GenerateToken, Request, Score, ScoreMany
from ..calls.results import R, TokenResult
from ..checks import as_list, check_bool, check_text, check_timeout, refuse
from ..errors import QueueFull
from ..jobs.base import Resources
from ..jobs.dispatch import job_for, prepare
from ..jobs.search_slots import SearchSlots
from ..model.base import LoadedModel
from ..model.load import load
from ..states.cache import pages_for
from .batch import Batch
from .bell import Bell
from .keeper import Keeper
from .limits import Limits
from .line import Place
from .loop import Loop
from .open_calls import OpenCalls
from .options import Options
from .scheduler import Scheduler
from .stats import EngineStats, snapshot


class Engine(Keeper):
    """Loads a model and runs calls on its states, many at a time. A context manager; many threads may use one engine.

    model: a Hugging Face checkpoint folder, a LoadedModel, or None (default) for the embedded model.
    device: "auto" (default) or "cpu"; with kernels="torch" any device of torch, of which "auto" takes a GPU if there is
        one.
    kernels: None (default): genlib's own. "torch": torch's, which are slower, for devices on which ours do not run. A
        seed's tokens are other ones there, since sums have another order.
    dtype: of the weights: "auto" (default, as in the checkpoint), "float32", "bfloat16" or "float16".
    threads: number of CPU threads, 1 to 1024. None (default): all cores that the process may use.
    kv_memory: memory for the KV cache in bytes, at least one page. None (default): 1 GiB.
    max_batch: maximum number of sequences per step, at least 1. Default 64.
    prefill_chunk: maximum number of tokens per step, at least 1; not less than max_batch is used. Default 512.
    max_queue: number of queued calls, at least 1, above which only a caller without any may queue one. Default 256.
    batch_invariant: whether results must not depend on the batch; they never do, so it must be True, the default.
    state_dir: for durable states; not supported in this version: must be None.
    on_progress: called while the weights are read, with the number of bytes read so far, and in all. Default None.
    Raises CheckpointError, BackendError, InvalidRequest (which names the option).
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | LoadedModel | None = None,
        *,
        device: str = "auto",
        kernels: str | None = None,
        dtype: str = "auto",
        threads: int | None = None,
        kv_memory: int | None = None,
        max_batch: int = 64,
        prefill_chunk: int = 512,
        max_queue: int = 256,
        batch_invariant: bool = True,
        state_dir: str | os.PathLike[str] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
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
        loaded = (
            model
            if isinstance(model, LoadedModel)
            else load(model, device, dtype, options.threads, on_progress, kernels)
        )
        self.eos_ids = loaded.eos_ids
        self.model_name, self.fingerprint = loaded.name, loaded.fingerprint
        self.context_length = loaded.model.context_length
        self.vocab_size = loaded.model.vocab_size
        self.max_batch = max_batch = options.max_batch
        self._model = loaded.model
        self.scheduler = Scheduler(max_batch, options.prefill_chunk, options.max_queue)
        limits = Limits.of(loaded, max_batch, options.num_pages(self._model.page_bytes))
        super().__init__(loaded, limits, OpenCalls(self.scheduler, Bell()))
        searches = SearchSlots(
            max_batch, self.context_length, self.vocab_size, self.eos_ids, self.tokenizer.token_bytes
        )
        longest = pages_for(self.context_length)
        batch = Batch(self.scheduler.chunk, max_batch, longest, self.vocab_size, self.eos_ids, searches.buffers)
        self._model.prepare(batch.buffers, self.cache.num_pages)
        self._resources = self._resources_of(searches, batch)
        self.loop = Loop(self._model, batch, self.cache, self.scheduler, self.calls)
        self.loop.start()

    def _resources_of(self, searches: SearchSlots, batch: Batch) -> Resources:
        return Resources(
            runner=self.calls,
            cache=self.cache,
            store=self.store,
            searches=searches,
            tokenizer=self.tokenizer,
            eos_ids=self.eos_ids,
            masks=batch.masks,
            max_batch=self.scheduler.max_batch,
            context_length=self.context_length,
        )

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Engine {self.model_name}{', closed' * self.loop.closed}>"

    def __del__(self) -> None:
        loop = getattr(self, "loop", None)  # None if it could not be made
        if loop is not None and not loop.closed:
            warnings.warn(f"{self!r} was not closed", ResourceWarning, source=self, stacklevel=2)
            loop.close(wait=0)

    def close(self) -> None:
        """Ends all calls with EngineClosed and releases threads and memory. Idempotent."""
        self.loop.close(wait=None)

    def stats(self) -> EngineStats:
        """A snapshot of the engine's counters and current load."""
        with self.lock:
            return snapshot(len(self.store), self.scheduler, self.cache, self._model.page_bytes, self.loop)

    def submit(
        self,
        request: Request[R],
        *,
        stream: bool = False,
        timeout: float | None = None,
        wait: bool = False,
        caller: str = "",
    ) -> Call[R]:
        """Starts a call, or queues it. Only GenerateToken can stream.

        timeout: in seconds, after which the call ends with CallTimeout and its state is unchanged.
        wait: if the queue is full, wait in line until there is room, first come, first served, instead of raising
            QueueFull; for at most `timeout`. It blocks: coroutines should bound their calls instead. Default False.
        caller: for whom: calls that wait start by turns, one of each caller. Default "".
        Raises StateNotFound, StateBusy, ContextLengthExceeded, OutOfCapacity, QueueFull, EngineClosed, and
        InvalidRequest, at once, or with `wait` once there is room, and then CallTimeout too; the state is unchanged.
        """
        check_bool("wait", wait)
        call = self._new_call(request, stream=stream, timeout=timeout, caller=check_text("caller", caller))
        try:
            self._enter(request, call, wait=wait)
        except BaseException:
            call.cancel()  # if it was interrupted half way
            raise
        return call

    def submit_all(
        self, requests: Sequence[GenerateToken], *, timeout: float | None = None, wait: bool = False
    ) -> CallGroup[TokenResult]:
        """Submits calls on states of their own, which commit together: all of them, or none if one fails.

        timeout: of all. wait: as for submit. Raises as submit does; then all are cancelled.
        """
        check_bool("wait", wait)
        requests = as_list("requests", "be a list of GenerateToken", requests)
        for i, request in enumerate(requests):
            if not isinstance(request, GenerateToken):
                raise refuse(f"requests[{i}]", "be a GenerateToken", request)
        group = CallGroup(self.calls, [self._new_call(r, stream=False, held=True, timeout=timeout) for r in requests])
        try:
            for request, call in zip(requests, group.calls, strict=True):
                self._enter(request, call, wait=wait)
        except BaseException:
            group.cancel()
            raise
        return group

    def run(self, request: Request[R], *, timeout: float | None = None) -> R:
        """Runs a call to its end and returns what it answers. Raises as submit does, CallTimeout, and the call's error.

        An exception that comes from elsewhere, such as KeyboardInterrupt, cancels the call.
        """
        call = self._new_call(request, stream=False, timeout=timeout)
        try:
            self._begin(request, call)
            return call.result()
        except BaseException:
            call.cancel()
            raise

    def _new_call(
        self, request: Request[R], *, stream: bool, held: bool = False, timeout: float | None, caller: str = ""
    ) -> Call[R]:
        check_bool("stream", stream)
        if stream and not isinstance(request, GenerateToken):
            raise refuse("stream", "be false for this call", stream)
        channel = Channel(streams=stream, held=held, timeout=check_timeout(timeout), caller=caller)
        return Call(self.calls, channel, self)

    def _enter(self, request: Request[R], call: Call[R], *, wait: bool) -> None:
        """Begins a call; with `wait`, in its turn if the queue is full."""
        try:
            self._begin(request, call)
            return
        except QueueFull:
            if not wait:
                raise
        with self.lock:
            self.calls.check_open()
            place = self.calls.line.join(call.channel.caller)
        with place:
            place.wait(call.channel.deadline)
            self._begin(request, call, place)

    def _begin(self, request: Request[R], call: Call[R], place: Place | None = None) -> None:
        self._limits.check_request(request)
        prepared = prepare(self._resources, request, self.read(request.state).stop_sequences)
        with self.lock:
            self.calls.check_open()
            record = self.store.read(request.state)
            ended = record.finished and not isinstance(request, Score | ScoreMany)
            job = job_for(self._resources, call.channel, request, prepared)
            if not ended:
                self._limits.check_room(request, len(record.tokens))
                self._limits.check_pages(job.pages_needed(), request)
            self.calls.enter(job)
            try:
                job.claim()
                if ended:
                    self.calls.finish(job, job.answer_ended())
                else:
                    self.calls.submit(job, place)
            except BaseException:
                self.calls.refuse(job)
                raise

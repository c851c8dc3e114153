"""llama.cpp, through the C interface of llama-cpp-python: one chain of samplers and one sequence per continuation."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

import llama_cpp as api

CELLS = 1024  # of the cache for one sequence: few more than the workloads need
SEQUENCES, CELLS_EACH = 16, 256  # of the cache for several
FLASH_ATTENTION = 1
LOG_OFF = api.llama_log_callback(lambda *_: None)


class Peer:
    """See worker.Peer. It has no beam search. The cache is float16, as is its default."""

    def __init__(self, folder: Path, dtype: str, threads: int) -> None:  # noqa: ARG002 (the file's is used)
        api.llama_log_set(LOG_OFF, ctypes.c_void_p(0))
        api.llama_backend_init()
        self._model = api.llama_model_load_from_file(
            str(folder / "model.gguf").encode(), api.llama_model_default_params()
        )
        params = api.llama_context_default_params()
        params.n_threads = params.n_threads_batch = threads
        params.n_batch = params.n_ubatch = 512
        params.flash_attn_type = FLASH_ATTENTION
        params.n_ctx = CELLS
        self._single = api.llama_init_from_model(self._model, params)
        params.kv_unified = False
        params.n_seq_max, params.n_ctx = SEQUENCES, SEQUENCES * CELLS_EACH
        self._many = api.llama_init_from_model(self._model, params)
        self._batch = api.llama_batch_init(512, 0, 1)

    def _decode(self, context: int, tokens: list[int], first: int, sequences: list[int] | None = None) -> None:
        """One sequence's tokens from position `first` on, or a token of each of several, all there."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = first + i if sequences is None else first
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0 if sequences is None else sequences[i]
            batch.logits[i] = sequences is not None or i == len(tokens) - 1
        if api.llama_decode(context, batch):
            raise RuntimeError("llama_decode failed")

    def _sampler(self, seed: int, temperature: float = 0.8) -> int:
        chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
        if temperature == 0:
            api.llama_sampler_chain_add(chain, api.llama_sampler_init_greedy())
            return chain
        api.llama_sampler_chain_add(chain, api.llama_sampler_init_temp(temperature))
        api.llama_sampler_chain_add(chain, api.llama_sampler_init_top_p(0.95, 1))
        api.llama_sampler_chain_add(chain, api.llama_sampler_init_dist(seed))
        return chain

    def _run(self, prompt: list[int], count: int, temperature: float = 0.8) -> tuple[list[int], list[float]]:
        """Drawn tokens and, with the start before them, when each came."""
        chain, context = self._sampler(1, temperature), self._single
        tokens: list[int] = []
        api.llama_memory_clear(api.llama_get_memory(context), False)
        times = [time.perf_counter()]
        for i in range(count):
            self._decode(context, [tokens[-1]] if i else prompt, len(prompt) + i - 1 if i else 0)
            tokens.append(api.llama_sampler_sample(chain, context, -1))
            times.append(time.perf_counter())
        api.llama_sampler_free(chain)
        return tokens, times

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        return self._run(prompt, count, temperature=0)[0]

    def prefill(self, prompt: list[int]) -> float:
        times = self._run(prompt, 1)[1]
        return times[1] - times[0]

    def decode(self, prompt: list[int], count: int) -> float:
        times = self._run(prompt, count + 1)[1]
        return times[-1] - times[1]

    def multi(self, prompt: list[int], n: int, count: int) -> float:
        assert n <= SEQUENCES
        context, memory = self._many, api.llama_get_memory(self._many)
        chains = [self._sampler(i) for i in range(n)]
        start = time.perf_counter()
        api.llama_memory_clear(memory, False)
        self._decode(context, prompt, 0)
        tokens = [api.llama_sampler_sample(chain, context, -1) for chain in chains]
        for i in range(1, n):
            api.llama_memory_seq_cp(memory, 0, i, -1, -1)
        for step in range(count - 1):
            self._decode(context, tokens, len(prompt) + step, list(range(n)))
            tokens = [api.llama_sampler_sample(chain, context, i) for i, chain in enumerate(chains)]
        seconds = time.perf_counter() - start
        for chain in chains:
            api.llama_sampler_free(chain)
        return seconds

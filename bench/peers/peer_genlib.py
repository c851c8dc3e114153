"""genlib, through its public API."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import genlib


class Peer:
    """See worker.Peer. A folder that is not there stands for the embedded model."""

    def __init__(self, folder: Path, dtype: str, threads: int) -> None:
        self._folder, self._dtype = folder if folder.exists() else None, dtype
        self.engine = genlib.Engine(self._folder, dtype=dtype, threads=threads)
        self._namespaces = map(str, itertools.count())

    def _state(self, prompt: list[int]) -> genlib.State:
        """In a namespace of its own, so that no page of an earlier prompt is found again."""
        return self.engine.create_state(tokens=prompt, namespace=next(self._namespaces))

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        return list(genlib.generate_token(self._state(prompt), max_tokens=count, temperature=0).token_ids)

    def prefill(self, prompt: list[int]) -> float:
        start = time.perf_counter()
        state = self._state(prompt)
        genlib.generate_token(state, max_tokens=1, temperature=0.8, top_p=0.95, ignore_eos=True)
        seconds = time.perf_counter() - start
        state.close()
        return seconds

    def decode(self, prompt: list[int], count: int) -> float:
        state = self._state(prompt)
        genlib.generate_token(state, max_tokens=1, temperature=0.8, top_p=0.95, ignore_eos=True)
        start = time.perf_counter()
        out = genlib.generate_token(state, max_tokens=count, temperature=0.8, top_p=0.95, ignore_eos=True)
        seconds = time.perf_counter() - start
        assert len(out.token_ids) == count
        state.close()
        return seconds

    def multi(self, prompt: list[int], n: int, count: int) -> float:
        start = time.perf_counter()
        state = self._state(prompt)
        out = genlib.generate_multi(state, n=n, max_tokens=count, temperature=0.8, top_p=0.95, ignore_eos=True)
        seconds = time.perf_counter() - start
        assert sum(len(c.token_ids) for c in out.continuations) == n * count
        state.close()
        return seconds

    def beam(self, prompt: list[int], beams: int, steps: int) -> float:
        start = time.perf_counter()
        state = self._state(prompt)
        out = genlib.beam_search(state, num_beams=beams, max_length=steps)
        seconds = time.perf_counter() - start
        assert len(out.token_ids[0]) == steps
        state.close()
        return seconds

    def beam_step(self, prompt: list[int], beams: int, steps: int) -> float:
        state = self._state(prompt)
        genlib.generate_token(state, max_tokens=1, temperature=0, ignore_eos=True)
        state.truncate(len(prompt))
        start = time.perf_counter()
        out = genlib.beam_search(state, num_beams=beams, max_length=steps)
        seconds = time.perf_counter() - start
        assert len(out.token_ids[0]) == steps
        state.close()
        return seconds / steps

    def beam_cache(self, prompt: list[int], beams: int, steps: int) -> int:
        """Pages that were not free, looked at again and again while the search runs."""
        with genlib.Engine(self._folder, dtype=self._dtype, threads=1) as engine:
            state = engine.create_state(tokens=prompt)
            search = engine.submit(genlib.BeamSearch(state, num_beams=beams, max_length=steps))
            free = engine.stats().pages_free
            while not search.done:
                free = min(free, engine.stats().pages_free)
            search.result()
            return (engine.stats().pages_total - free) * engine.stats().page_bytes

"""CTranslate2: `Generator.generate_batch`, the prompt in one pass. CT2_USE_MKL=0 is set by who starts this."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import ctranslate2


class Peer:
    """See worker.Peer. A token's name is its id."""

    def __init__(self, folder: Path, dtype: str, threads: int) -> None:
        self._generator = ctranslate2.Generator(str(folder / "ct2"), compute_type=dtype, intra_threads=threads)

    def _generate(self, prompt: list[int], count: int, **options: Any) -> tuple[list[int], float]:
        tokens = [str(i) for i in prompt]
        options = {"max_length": count, "min_length": count, "include_prompt_in_result": False} | options
        start = time.perf_counter()
        (result,) = self._generator.generate_batch([tokens], **options)
        seconds = time.perf_counter() - start
        assert all(len(ids) == count for ids in result.sequences_ids)
        return result.sequences_ids[0], seconds

    def _sample(self, prompt: list[int], count: int, **options: Any) -> float:
        sampling = {"sampling_temperature": 0.8, "sampling_topp": 0.95, "sampling_topk": 0}
        return self._generate(prompt, count, **sampling, **options)[1]

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        return self._generate(prompt, count)[0]

    def prefill(self, prompt: list[int]) -> float:
        return self._sample(prompt, 1)

    def decode(self, prompt: list[int], count: int) -> float:
        times: list[float] = []
        self._sample(prompt, count + 1, callback=lambda _: times.append(time.perf_counter()))
        return times[-1] - times[0]

    def multi(self, prompt: list[int], n: int, count: int) -> float:
        return self._sample(prompt, count, num_hypotheses=n)

    def beam(self, prompt: list[int], beams: int, steps: int) -> float:
        return self._generate(prompt, steps, beam_size=beams)[1]

    def beam_step(self, prompt: list[int], beams: int, steps: int) -> float:
        """What a search takes longer than one of two steps: it reads the prompt anew in each call, static or not."""
        times = []
        for count in (2, 2 + steps):
            start = time.perf_counter()
            self._generate(prompt, count, beam_size=beams)
            times.append(time.perf_counter() - start)
        return (times[1] - times[0]) / steps

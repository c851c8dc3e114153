"""transformers: `generate` on its dynamic cache."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.generation.streamers import BaseStreamer


class Clock(BaseStreamer):
    """When each token came; the first is the prompt."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: torch.Tensor) -> None:  # noqa: ARG002 (the streamer's signature)
        self.times.append(time.perf_counter())

    def end(self) -> None:
        pass


class StepClock(transformers.LogitsProcessor):
    """When each step of a search came to its logits."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 (its signature)
        self.times.append(time.perf_counter())
        return scores


class Peer:
    """See worker.Peer."""

    def __init__(self, folder: Path, dtype: str, threads: int) -> None:
        torch.set_num_threads(threads)
        transformers.utils.logging.disable_progress_bar()
        self._model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
        self._model.generation_config.eos_token_id = None
        self._model.generation_config.pad_token_id = 0

    def _generate(self, prompt: list[int], count: int, **options: Any) -> tuple[list[int], float]:
        ids = torch.tensor([prompt])
        start = time.perf_counter()
        with torch.inference_mode():
            out = self._model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, **options)
        seconds = time.perf_counter() - start
        assert out.shape[1] == len(prompt) + count
        return out[0, len(prompt) :].tolist(), seconds

    def _sample(self, prompt: list[int], count: int, **options: Any) -> float:
        return self._generate(prompt, count, do_sample=True, temperature=0.8, top_p=0.95, top_k=0, **options)[1]

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        return self._generate(prompt, count, do_sample=False)[0]

    def prefill(self, prompt: list[int]) -> float:
        return self._sample(prompt, 1)

    def decode(self, prompt: list[int], count: int) -> float:
        clock = Clock()
        self._sample(prompt, count + 1, streamer=clock)
        return clock.times[-1] - clock.times[1]

    def multi(self, prompt: list[int], n: int, count: int) -> float:
        return self._sample(prompt, count, num_return_sequences=n)

    def beam(self, prompt: list[int], beams: int, steps: int) -> float:
        return self._generate(prompt, steps, do_sample=False, num_beams=beams)[1]

    def _search(self, prompt: list[int], beams: int, steps: int) -> tuple[list[float], int]:
        """When each step had its logits, and the bytes of the cache at the end. One row has read the prompt."""
        clock = StepClock()
        ids = torch.tensor([prompt])
        cache = transformers.DynamicCache(config=self._model.config)
        with torch.inference_mode():
            self._model(ids[:, :-1], past_key_values=cache, use_cache=True)
            cache.batch_repeat_interleave(beams)
            self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                past_key_values=cache,
                num_beams=beams,
                do_sample=False,
                max_new_tokens=steps,
                logits_processor=transformers.LogitsProcessorList([clock]),
            )
        return clock.times, sum(tensor.nbytes for layer in cache.layers for tensor in (layer.keys, layer.values))

    def beam_step(self, prompt: list[int], beams: int, steps: int) -> float:
        times, _ = self._search(prompt, beams, steps)
        return (times[-1] - times[0]) / (steps - 1)

    def beam_cache(self, prompt: list[int], beams: int, steps: int) -> int:
        return self._search(prompt, beams, steps)[1]

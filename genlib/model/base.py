"""The interface between the engine and a model. The decoder implements it; tests use a smaller model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..ops.arrays import Float32, Int32
from ..ops.buffers import StepBuffers
from ..text.tokenizer import Tokenizer


class Model(Protocol):
    """A language model over a paged KV cache."""

    vocab_size: int
    context_length: int

    @property
    def page_bytes(self) -> int:
        """Size of one page in bytes, over all layers."""

    def prepare(self, buffers: StepBuffers, num_pages: int) -> None:
        """Allocates the pages and records the steps on these buffers. Called once."""

    def launch(self, num_tokens: int) -> None:
        """Begins a step on the contents of the buffers: writes keys and values, fills `output`, advances `searches`."""

    def wait(self) -> None:
        """Until the step that was launched last has ended. Raises what went wrong in it."""

    def logits(self, first: int, last: int) -> Float32:
        """Rows [first, last) of the logits of the last step: [last - first, V], valid until the next step."""

    def copy_pages(self, pairs: Int32) -> None:
        """Copies pages in order. pairs: [n, 2] (source, destination)."""

    def close(self) -> None:
        """Releases threads and memory."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with its tokenizer and metadata. fingerprint: covers everything that can change a generated token."""

    model: Model
    tokenizer: Tokenizer
    eos_ids: frozenset[int]
    name: str
    fingerprint: str

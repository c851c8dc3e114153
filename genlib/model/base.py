"""What the engine asks of a model. The decoder is one implementation; tests have a smaller one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..ops.arrays import Float32, Int32
from ..ops.buffers import StepBuffers
from ..text.tokenizer import Tokenizer


class Model(Protocol):
    """A language model over paged keys and values."""

    vocab_size: int
    context_length: int

    @property
    def page_bytes(self) -> int:
        """Bytes of one page over all layers."""

    def prepare(self, buffers: StepBuffers, num_pages: int) -> None:
        """Makes the pages and records the steps on these buffers. Called once."""

    def run(self, num_tokens: int) -> None:
        """One step over what the buffers hold: writes keys and values, fills `output`, moves `searches` on."""

    def logits(self, first: int, last: int) -> Float32:
        """Rows [first, last) of the logits of the last step, [·, V]. Valid until the next one."""

    def copy_pages(self, pairs: Int32) -> None:
        """Copies pages, [n, 2] (source, destination), in order."""

    def close(self) -> None:
        """Gives threads and memory back."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with what belongs to it. The fingerprint covers all that can change a token."""

    model: Model
    tokenizer: Tokenizer
    eos_ids: frozenset[int]
    name: str
    fingerprint: str

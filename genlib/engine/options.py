"""The options of an engine, checked before the model is loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..checks import check_bool, check_int, refuse

DEFAULT_KV_MEMORY = 1 << 30


@dataclass(frozen=True, slots=True)
class Options:
    """See Engine for their meaning. Raises InvalidRequest, which names the option."""

    threads: int | None
    kv_memory: int | None
    max_batch: int
    prefill_chunk: int
    max_queue: int
    batch_invariant: bool
    state_dir: str | os.PathLike[str] | None

    def __post_init__(self) -> None:
        check_int("max_batch", self.max_batch, 1)
        check_int("prefill_chunk", self.prefill_chunk, 1)
        check_int("max_queue", self.max_queue, 1)
        check_bool("batch_invariant", self.batch_invariant)
        if self.threads is not None:
            check_int("threads", self.threads, 1)
        if self.kv_memory is not None:
            check_int("kv_memory", self.kv_memory, 1)
        if self.state_dir is not None:
            raise refuse("state_dir", "be None: this version does not support durable states", self.state_dir)

    def num_pages(self, page_bytes: int) -> int:
        """P: number of pages that fit into `kv_memory`. Raises InvalidRequest if none does."""
        pages = (self.kv_memory or DEFAULT_KV_MEMORY) // page_bytes
        if not pages:
            raise refuse("kv_memory", f"hold at least one page ({page_bytes} bytes)", self.kv_memory)
        return pages

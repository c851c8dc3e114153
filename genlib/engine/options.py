"""The options of an engine, checked before the model is loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..checks import check_bool, check_int, make_plain, refuse

DEFAULT_KV_MEMORY = 1 << 30
MAX_KV_MEMORY = 1 << 46  # 64 TiB
MAX_BATCH = 1024
MAX_PREFILL_CHUNK = 1 << 16
MAX_QUEUE = 1 << 20
MAX_THREADS = 1024
_MAX_PAGES = (1 << 27) - 1  # that the native table of pages can number


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
        make_plain(self)
        check_int("max_batch", self.max_batch, 1, MAX_BATCH)
        check_int("prefill_chunk", self.prefill_chunk, 1, MAX_PREFILL_CHUNK)
        check_int("max_queue", self.max_queue, 1, MAX_QUEUE)
        check_bool("batch_invariant", self.batch_invariant)
        if not self.batch_invariant:
            rule = "be true: on this device no result depends on the batch, and none would be faster if it did"
            raise refuse("batch_invariant", rule, self.batch_invariant)
        if self.threads is not None:
            check_int("threads", self.threads, 1, MAX_THREADS)
        if self.kv_memory is not None:
            check_int("kv_memory", self.kv_memory, 1, MAX_KV_MEMORY)
        if self.state_dir is not None:
            raise refuse("state_dir", "be None: this version does not support durable states", self.state_dir)

    def num_pages(self, page_bytes: int) -> int:
        """P: number of pages that fit into `kv_memory`. Raises InvalidRequest if none does."""
        pages = (self.kv_memory or DEFAULT_KV_MEMORY) // page_bytes
        if not pages:
            raise refuse("kv_memory", f"hold at least one page ({page_bytes} bytes)", self.kv_memory)
        if pages > _MAX_PAGES:
            raise refuse("kv_memory", f"hold at most {_MAX_PAGES} pages of {page_bytes} bytes", self.kv_memory)
        return pages

"""The native extension: the state table, then the CPU's operations. Shapes use the alphabet of docs/design.md.

Arrays must be C-contiguous numpy arrays of exactly the stated type; nothing is converted, and anything else raises a
TypeError that names the argument. Arrays are read or written in place; buffers may be larger than their batch.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PAGE_SIZE: int
"""W: positions per page."""

class OutOfPages(Exception):
    """Too few pages are free or released and not reserved for another entry. Nothing was changed."""

class StateTable:
    """Entries (states and running sequences) over a pool of P pages: token ids, page lists, sharing.

    An entry has `length` tokens; positions < `computed` have valid keys and values in its pages. The table never sees
    keys or values. The engine's step: append, fork, truncate … → `fill` → `take_copies`, executed in order → the step
    writes its pages → `commit`. A table is not thread-safe. Every call with a handle raises ValueError if its entry was
    freed or never existed.
    """

    def __init__(self, num_pages: int, hash_mask: int = 0xFFFFFFFF) -> None:
        """P pages of PAGE_SIZE positions. ValueError unless 1 ≤ num_pages < 2²⁷. `hash_mask` is for tests: with 0 all
        prefixes have the same hash; lookups must not change, since tokens are compared."""

    def create(self, namespace: int) -> int:
        """The handle of a new, empty entry. Pages are found again only within a namespace (0 ≤ namespace < 2⁶⁴)."""

    def fork(self, handle: int) -> int:
        """A new entry with the same tokens, which shares all pages and has no reservation. OutOfPages only if `handle`
        has a reservation that then needs one more page (its last page becomes shared), and there is none.

        Positions that are not computed are shared too; neither entry can feed them (`fill` refuses) until it has
        truncated to `computed` and appended them again."""

    def free(self, handle: int) -> None:
        """Frees an entry, its pages and its reservation. Full computed pages stay findable until they are reused."""

    def match(self, handle: int, tokens: NDArray[np.int32]) -> int:
        """Gives an empty entry the longest known run of full computed pages that is a prefix of tokens[n], at most
        (n − 1) // PAGE_SIZE pages, so that a token is left to feed. Returns the number of tokens matched, which is also
        the entry's length and computed. Released pages that are reserved for others are not matched."""

    def append(self, handle: int, tokens: NDArray[np.int32]) -> None:
        """Appends tokens[n] to the entry. OutOfPages, and nothing changed, if there are too few pages."""

    def append_one(self, handles: NDArray[np.int64], tokens: NDArray[np.int32]) -> None:
        """Appends tokens[s] to entry handles[s], for S different entries. OutOfPages, and nothing changed, if there are
        too few pages."""

    def branch(self, handles: NDArray[np.int64], parents: NDArray[np.int32]) -> None:
        """handles[i] becomes a child of what was handles[parents[i]], in place: an entry's first child takes it
        over, the others fork it, and entries without a child are freed. ValueError if one has a reservation."""

    def truncate(self, handle: int, n: int) -> None:
        """Keeps n tokens. A reservation stays; if it was made at a greater length, it counts from n. OutOfPages, and
        nothing changed, if it would then need more pages than there are: unreserve first."""

    def commit(self, handle: int, computed: int) -> None:
        """Marks positions < computed as valid (never fewer than before). Full pages become findable; one that equals a
        findable page is replaced by it, so `pages` may change."""

    def commit_many(self, handles: NDArray[np.int64], computed: NDArray[np.int32]) -> None:
        """`commit` for S different entries; all or none."""

    def reserve(self, handle: int, num_tokens: int) -> bool:
        """Reserves the pages that num_tokens more tokens can need, replacing an earlier reservation. False, and nothing
        changed, if there are too few. Appends up to length + num_tokens then cannot fail."""

    def unreserve(self, handle: int) -> None:
        """Ends the entry's reservation."""

    def take_copies(self, out: NDArray[np.int32]) -> int:
        """Moves the queued copies to out[≥ num_copies, 2] as (source page, destination page) and returns how many.
        They must be executed in this order, before the next step writes. ValueError if `out` is too small."""

    def fill(
        self,
        handles: NDArray[np.int64],
        counts: NDArray[np.int32],
        ids: NDArray[np.int32],
        positions: NDArray[np.int32],
        starts: NDArray[np.int32],
        lengths: NDArray[np.int32],
        tables: NDArray[np.int32],
        rows: NDArray[np.int32] | None = None,
    ) -> int:
        """The next counts[s] tokens of each of S entries, from `computed` on, as one batch; returns N, their sum.

        Writes ids[N], positions[N], rows[N] (the s of each token), starts[S + 1] (ragged offsets),
        lengths[S] (computed + counts[s]: the valid positions after the step) and tables[S, M] (all page ids of
        each entry; columns beyond are left alone). A token is written to tables[s, position // PAGE_SIZE], slot
        position % PAGE_SIZE. Everything is checked first: ValueError for a buffer too small, a count beyond the
        entry's length, an entry given twice; RuntimeError if a page to be written is shared or registered."""

    def block_tables(self, handles: NDArray[np.int64], tables: NDArray[np.int32]) -> None:
        """Page ids of S entries to tables[S, M]; columns beyond an entry's pages are left alone."""

    def length(self, handle: int) -> int: ...
    def computed(self, handle: int) -> int: ...
    def reserved(self, handle: int) -> int:
        """Number of pages reserved for this entry."""

    def namespace(self, handle: int) -> int: ...
    def tokens(self, handle: int) -> NDArray[np.int32]: ...
    def pages(self, handle: int) -> NDArray[np.int32]: ...
    @property
    def num_pages(self) -> int: ...
    @property
    def num_free(self) -> int:
        """Number of pages that no entry holds, findable or not; some may be reserved."""

    @property
    def num_released(self) -> int:
        """Number of pages that no entry holds but that can still be found."""

    @property
    def num_reserved(self) -> int:
        """Number of pages reserved for entries; at most num_free."""

    @property
    def num_entries(self) -> int: ...
    @property
    def num_copies(self) -> int:
        """Number of copies queued and not yet taken."""

    def check_integrity(self) -> None:
        """RuntimeError if an invariant of the table or its pool is violated. For tests: O(P + all entries' pages)."""

# --- the CPU's operations (csrc/cpu); use them through genlib.ops.cpu; genlib.ops.base is the contract ---

class CpuRuntime:
    """A team of threads at one vector width. `close` joins the threads; running anything on it then raises."""

    def __init__(self, threads: int, width: str) -> None: ...
    def pack(self, tensors: list[NDArray[Any]], dtype: str, bias: NDArray[np.float32] | None) -> CpuWeight:
        """Matrices [out_i, in], float32 for dtype "F32", uint16 for "BF16" and "F16". Copies them."""

    def close(self) -> None: ...
    @property
    def threads(self) -> int: ...
    @property
    def width(self) -> str: ...

class CpuWeight:
    @property
    def shape(self) -> tuple[int, int]:
        """(out, in)"""

    @property
    def nbytes(self) -> int: ...

class CpuKv:
    def __init__(self, layers: int, heads: int, kv_heads: int, head_size: int, num_pages: int) -> None: ...
    @property
    def num_pages(self) -> int: ...
    def copy_pages(self, pairs: NDArray[np.int32]) -> None: ...
    def fill(self, value: float) -> None:
        """Fills every slot of every page. For tests: what was never written must never be used."""

class CpuProgram:
    """A sequence of operations. Each is checked when added (ValueError), and keeps its arrays alive."""

    def __init__(self, runtime: CpuRuntime) -> None: ...
    def embed(
        self, ids: NDArray[np.int32], weight: CpuWeight, out: NDArray[np.float32], rows: NDArray[np.int32] | None
    ) -> None: ...
    def gather_rows(
        self,
        x: NDArray[np.float32],
        index: NDArray[np.int32],
        out: NDArray[np.float32],
        rows: NDArray[np.int32] | None,
    ) -> None: ...
    def linear(
        self, x: NDArray[np.float32], weight: CpuWeight, out: NDArray[np.float32], rows: NDArray[np.int32] | None
    ) -> None: ...
    def rms_norm(
        self,
        x: NDArray[np.float32],
        residual: NDArray[np.float32] | None,
        weight: NDArray[np.float32],
        eps: float,
        out: NDArray[np.float32],
        rows: NDArray[np.int32] | None,
    ) -> None: ...
    def silu_mul(self, x: NDArray[np.float32], out: NDArray[np.float32], rows: NDArray[np.int32] | None) -> None: ...
    def rope_write(
        self,
        qkv: NDArray[np.float32],
        norms: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
        eps: float,
        rope: tuple[NDArray[np.float32], NDArray[np.float32]],
        kv: CpuKv,
        layer: int,
        plan: Any,
        out: NDArray[np.float32],
    ) -> None: ...
    def attend(self, q: NDArray[np.float32], kv: CpuKv, layer: int, plan: Any, out: NDArray[np.float32]) -> None: ...
    def sample(self, logits: NDArray[Any], params: Any, plan: Any, out: Any) -> None: ...
    def beam_step(self, logits: NDArray[Any], searches: Any) -> None: ...
    def run(self) -> None:
        """Runs all of them, without the GIL."""

    def __len__(self) -> int: ...

def cpu_page_bytes(layers: int, heads: int, kv_heads: int, head_size: int) -> int: ...
def cpu_widths() -> list[str]:
    """The vector widths that this machine supports, widest first."""

def read_bandwidth(runtime: CpuRuntime, bytes: int, rounds: int = 5) -> float:
    """Bytes per second at which the team reads a buffer of `bytes` bytes: the best of `rounds`."""

def sample_rows(
    width: str, logits: NDArray[Any], params: Any, num_sampled: NDArray[np.int32], out: Any, threads: int = 1
) -> None:
    """The sampler alone, on numpy arrays: `params` and `out` are RowParams and SamplerOutput of genlib.ops.buffers,
    logits [R, V] float32, float16 or uint16 (bfloat16) with any row stride, num_sampled [1]. ValueError names what is
    wrong."""

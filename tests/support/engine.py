"""An engine without weights: a tokenizer of bytes, and a model whose pages hold the tokens themselves."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Iterator

import numpy as np

import genlib
from genlib._native import PAGE_SIZE
from genlib.model.base import LoadedModel
from genlib.ops.buffers import StepBuffers
from genlib.ops.reference_beam import beam_step

EOS = 256
BOS = 257
VOCABULARY = 260
PROMPT = "the quick brown fox jumps over the lazy dog"


class ByteTokenizer:
    """Token i is byte i; 256 ends a text, 257 begins one."""

    strip_leading_space = False

    def __init__(self, prefix: tuple[int, ...] = (BOS,)) -> None:
        self.prefix_ids = prefix

    def encode(self, text: str, *, continues: bool = False) -> list[int]:
        return list(text.encode())

    def least_tokens(self, text: str) -> int:
        return 0

    def token_bytes(self, token: int) -> bytes:
        return bytes([token]) if token < 256 else b""


class FakeModel:
    """Next tokens are a hash of the whole context, read back from the pages, and of seed, stream and position.

    A page that holds anything but this context's tokens gives another hash, so paging errors show as wrong
    tokens. `eos_every`: about one token in so many ends the text. `gate`, if given, must be set for each step.
    """

    vocab_size = VOCABULARY
    page_bytes = 1

    def __init__(self, context_length: int = 256, eos_every: int = 0, gate: threading.Semaphore | None = None):
        self.context_length = context_length
        self.eos_every = eos_every
        self.gate = gate
        self.steps: list[tuple[int, int]] = []  # tokens and sequences of each
        self.broken: Exception | None = None
        self.bad_row: int | None = None
        self.closed = False

    def prepare(self, buffers: StepBuffers, num_pages: int) -> None:
        self.buffers = buffers
        self.pages = np.full((num_pages, PAGE_SIZE), -1, np.int32)
        self._logits = np.zeros((len(buffers.plan.rows), VOCABULARY), np.float32)

    def context(self, seq: int, position: int) -> bytes:
        table = self.buffers.plan.tables[seq]
        where = np.arange(position + 1)
        return self.pages[table[where // PAGE_SIZE], where % PAGE_SIZE].tobytes()

    def launch(self, num_tokens: int) -> None:
        if self.gate is not None:
            self.gate.acquire()
        if self.broken is not None:
            raise self.broken
        plan = self.buffers.plan
        n, s = int(plan.num_tokens[0]), int(plan.num_seqs[0])
        assert n == num_tokens == plan.starts[s]
        self.steps.append((n, s))
        owners = np.searchsorted(plan.starts[: s + 1], np.arange(n), side="right") - 1
        for i in range(n):
            p = int(plan.positions[i])
            self.pages[plan.tables[owners[i], p // PAGE_SIZE], p % PAGE_SIZE] = plan.ids[i]
        for r in range(int(plan.num_rows[0])):
            i = int(plan.rows[r])
            self._row(r, self.context(int(owners[i]), int(plan.positions[i])))
        beam_step(self._logits, self.buffers.searches)

    def wait(self) -> None:
        """It has ended."""

    def _row(self, r: int, context: bytes) -> None:
        params, out = self.buffers.params, self.buffers.output
        rng = np.random.default_rng(zlib.crc32(context))
        self._logits[r] = rng.normal(size=VOCABULARY).astype(np.float32) * 3
        if r >= self.buffers.plan.num_sampled[0]:
            return
        key = f"{params.seed[r]} {params.stream[r]} {params.position[r]} {params.scale[r]}"
        h = zlib.crc32(context + key.encode())
        token = 97 + h % 26
        banned = params.mask[r] == 0
        if self.eos_every and (h >> 8) % self.eos_every == 0 and not banned:
            token = EOS
        if params.forced[r] >= 0:
            token = int(params.forced[r])
        out.token[r] = token
        out.probability[r] = (h % 999 + 1) / 1000
        out.sampling_probability[r] = 0.5
        out.logprob[r] = np.log(out.probability[r])
        out.status[r] = int(self.bad_row == r)

    def logits(self, first: int, last: int) -> np.ndarray:
        return self._logits[first:last]

    def copy_pages(self, pairs: np.ndarray) -> None:
        for source, destination in pairs:
            self.pages[destination] = self.pages[source]

    def close(self) -> None:
        self.closed = True


def fake_engine(model: FakeModel | None = None, *, prefix: tuple[int, ...] = (BOS,), pages: int = 64, **limits):
    """An engine over a FakeModel; `pages` in all."""
    model = model or FakeModel()
    tokenizer = ByteTokenizer(prefix)
    loaded = LoadedModel(model, tokenizer, frozenset({EOS}), "fake", "fingerprint")
    return genlib.Engine(loaded, kv_memory=pages, **limits)


def check_pages_back(engine: genlib.Engine) -> None:
    """All pages are free once the idle states are dropped, and nothing is promised."""
    with engine.lock:
        engine.cache.drop_all()
        table = engine.cache.table
        table.check_integrity()
        assert table.num_entries == 0
        assert table.num_reserved == 0
        assert table.num_free == table.num_pages


def engines(model: FakeModel | None = None, **limits: int) -> Iterator[genlib.Engine]:
    """For a fixture: of an engine that must have all pages back in the end."""
    with fake_engine(model, **limits) as engine:
        yield engine
        wait_until_idle(engine)
        for state in engine.states():
            state.close()
        check_pages_back(engine)


def wait_until_idle(engine: genlib.Engine) -> None:
    while engine.calls.any_left:
        time.sleep(0.001)


def ids(engine: genlib.Engine, prompt: str = PROMPT, **options) -> tuple[int, ...]:
    """The tokens of a new state's first call."""
    with engine.create_state(prompt) as state:
        return genlib.generate_token(state, **options).token_ids


class SlowModel(FakeModel):
    """Steps take a while, so that things happen in the middle of one."""

    def launch(self, num_tokens: int) -> None:
        time.sleep(0.002)
        super().launch(num_tokens)


def slow_engines() -> Iterator[genlib.Engine]:
    """For a fixture: of an engine in whose steps much can happen."""
    yield from engines(SlowModel(context_length=2000), pages=400)


def check_free(state: genlib.State, tokens: tuple[int, ...], taken: int) -> None:
    """It has the prompt and what was taken, and can be used."""
    assert state.tokens == (*tokens, *state.tokens[len(tokens) :])
    assert state.num_tokens == len(tokens) + taken
    state.append("x")
    assert len(genlib.generate_token(state, max_tokens=2).token_ids) == 2

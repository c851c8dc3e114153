"""Texts that cannot fit the context are refused before they are tokenised; others are tokenised beside all else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

import genlib
from genlib.errors import ContextLengthExceeded
from genlib.text.tokenizer import Tokenizer

LONG = "The quick brown fox. " * 50_000


@pytest.fixture
def engine() -> Iterator[genlib.Engine]:
    with genlib.Engine(kv_memory=64 << 20) as engine:
        yield engine


def test_what_cannot_fit_is_not_tokenised(engine: genlib.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    state = engine.create_state("A fox")
    encode = Tokenizer.encode

    def encode_short(self: Tokenizer, text: str, *, continues: bool = False) -> list[int]:
        assert len(text) < 10
        return encode(self, text, continues=continues)

    monkeypatch.setattr(Tokenizer, "encode", encode_short)
    with pytest.raises(ContextLengthExceeded, match=r"`prompt` makes at least \d+ tokens, but the context length is"):
        engine.create_state(LONG)
    with pytest.raises(ContextLengthExceeded, match=r"`text` makes at least \d+ tokens"):
        state.append(LONG)
    for score in (lambda: state.score(LONG), lambda: state.score(["a", LONG])):
        with pytest.raises(ContextLengthExceeded, match=r"`texts?(\[1\])?` makes at least \d+ tokens"):
            score()
    assert state.text == "A fox"


def test_others_go_on_while_a_text_is_tokenised(engine: genlib.Engine) -> None:
    """A library that holds the interpreter's lock while it does so lets nobody count."""
    counted, over = 0, threading.Event()

    def tokenise() -> None:
        engine.tokenize(LONG)
        over.set()

    thread = threading.Thread(target=tokenise)
    thread.start()
    while not over.is_set():
        counted += 1
        time.sleep(0)
    thread.join()
    assert counted > 100

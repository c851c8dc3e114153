"""Token masks: what the engine asks of them and tells them, and how they fail."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from support.engine import VOCABULARY, fake_engine

import genlib

PROMPT = "Once upon a time there was a fox. Its data:"


class Noted:
    """Allows the tokens of a list, one after the other, and notes what it is told."""

    def __init__(self, allowed: list[list[int]], heard: list[int] | None = None) -> None:
        self.allowed = allowed
        self.heard = heard or []
        self.forks: list[Noted] = []
        self.threads: set[str] = set()

    def fill(self, words: np.ndarray) -> None:
        self.threads.add(threading.current_thread().name)
        assert words.dtype == np.int32
        assert (words == -1).all()
        words[:] = 0
        for token in self.allowed[len(self.heard)]:
            words.view(np.uint32)[token // 32] |= np.uint32(1 << token % 32)

    def accept(self, token_id: int) -> None:
        self.heard.append(token_id)

    def fork(self) -> Noted:
        self.forks.append(Noted(self.allowed, self.heard.copy()))
        return self.forks[-1]


@pytest.fixture
def state(engine):
    return engine.create_state(PROMPT)


def test_it_is_asked_before_each_token_and_told_of_each(engine, state):
    eos = min(engine.eos_ids)
    mask = Noted([[300, 301], [302], [eos, 303], [eos]])
    result = genlib.generate_token(state, max_tokens=9, logit_bias={eos: -100}, token_mask=mask)
    assert result.finish_reason == "end_of_text"
    assert mask.heard == [*result.token_ids, eos] == list(state.tokens[-4:])
    assert mask.heard[1:] == [302, 303, eos]
    assert mask.threads == {"genlib-engine"}
    assert genlib.generate_token(state, token_mask=mask).new_tokens == ()


def test_continuations_get_forks(state):
    mask = Noted([[5, 6]] * 8, heard=[])
    many = genlib.generate_multi(state, n=4, max_tokens=8, token_mask=mask).continuations
    assert mask.heard == []
    assert [tuple(fork.heard) for fork in mask.forks] == [c.token_ids for c in many]


def test_all_that_forbids_forbids_together(engine, state):
    eos = min(engine.eos_ids)
    mask = Noted([[eos, 300, 301, 302]] * 20)
    options = {"max_tokens": 20, "min_tokens": 10, "seed": 3, "temperature": 50, "logit_bias": {302: 100}}
    result = genlib.generate_token(state, token_mask=mask, allowed_tokens=[eos, 299, 300, 301], **options)
    assert set(result.token_ids) == {300, 301}
    assert result.finish_reason == "end_of_text"
    assert len(result.token_ids) >= 10


class Broken(Noted):
    """Fails in one of its methods, the second time."""

    def __init__(self, method: str, error: BaseException) -> None:
        super().__init__([[5]] * 50)
        self.method, self.error, self.times = method, error, 0

    def _do(self, method: str) -> None:
        self.times += method == self.method
        if self.times == 2:
            raise self.error

    def fill(self, words: np.ndarray) -> None:
        self._do("fill")
        super().fill(words)

    def accept(self, token_id: int) -> None:
        self._do("accept")
        super().accept(token_id)

    def fork(self) -> Broken:
        self._do("fork")
        return Broken("none", self.error)


class Panic(BaseException):
    """As native code raises it: no Exception."""


@pytest.mark.parametrize("error", [ValueError("no luck"), Panic("no luck")])
@pytest.mark.parametrize("method", ["fill", "accept", "fork"])
def test_one_that_raises_fails_its_call_alone(engine, state, method, error):
    other = engine.submit(genlib.GenerateToken(engine.create_state("fox"), max_tokens=60, ignore_eos=True))
    mask = Broken(method, error)
    request = genlib.GenerateMulti(state, n=3, token_mask=mask)
    if method != "fork":
        request = genlib.GenerateToken(state, token_mask=mask)
    with pytest.raises(genlib.TokenMaskError, match=rf"`token_mask\.{method}` raised .*no luck") as caught:
        engine.submit(request).result()
    assert caught.value.__cause__ is error
    assert state.text == PROMPT
    assert len(other.result().token_ids) == 60
    state.append(" The state is free.")


def test_one_that_raises_at_once_fails_its_call_alone(engine, state):
    """Before the first step: while the call is started."""
    genlib.generate_multi(state, max_tokens=1)  # so that nothing is left to compute
    for call in (genlib.generate_token, genlib.generate_multi):
        with pytest.raises(genlib.TokenMaskError, match="fill"):
            call(state, token_mask=Noted([]))
    assert state.text == PROMPT
    assert genlib.generate_token(state, max_tokens=1).new_tokens


def test_one_that_fails_in_a_stream_ends_it(state):
    pieces = genlib.generate_token(state, stream=True, token_mask=Noted([[5], [6], []]))
    with pytest.raises(genlib.TokenMaskError):
        list(pieces)
    assert state.text == PROMPT


def test_nothing_allowed_is_an_error_that_says_so(engine, state):
    with pytest.raises(genlib.TokenMaskError, match="allows no token"):
        genlib.generate_token(state, token_mask=Noted([[5], []]))
    with pytest.raises(genlib.TokenMaskError, match="only tokens that `allowed_tokens`"):
        genlib.generate_token(state, token_mask=Noted([[5]]), allowed_tokens=[6])
    with pytest.raises(genlib.TokenMaskError, match="`ignore_eos`"):
        genlib.generate_token(state, token_mask=Noted([list(engine.eos_ids)]), ignore_eos=True)
    assert state.text == PROMPT


def test_bits_behind_the_vocabulary_do_not_count():
    class Behind(Noted):
        def fill(self, words: np.ndarray) -> None:
            words[:] = 0
            words[-1] = -1 << VOCABULARY % 32

    with fake_engine() as engine, pytest.raises(genlib.TokenMaskError, match="allows no token"):
        genlib.generate_token(engine.create_state("fox"), token_mask=Behind([]))


def test_a_mask_may_look_at_its_engine(engine, state):
    class Looking(Noted):
        def fill(self, words: np.ndarray) -> None:
            assert state.text == PROMPT
            super().fill(words)

    assert genlib.generate_token(state, max_tokens=2, token_mask=Looking([[5], [6]])).token_ids == (5, 6)

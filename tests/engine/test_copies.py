"""Results can be copied and pickled; handles cannot, since a copy that is dropped would end what they stand for."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.engine import fake_engine

import genlib
from genlib import GenerateToken

COPIES = [copy.copy, copy.deepcopy, pickle.dumps]


@pytest.fixture
def engine() -> Iterator[genlib.Engine]:
    with fake_engine() as engine:
        yield engine


def test_results(engine: genlib.Engine) -> None:
    state = engine.create_state("abc")
    results = [
        genlib.generate_token(state, max_tokens=3, top_logprobs=2),
        genlib.generate_multi(state, n=2, max_tokens=3),
        genlib.beam_search(state, max_length=3),
        state.score("d"),
    ]
    for result in results:
        assert copy.copy(result) == copy.deepcopy(result) == pickle.loads(pickle.dumps(result)) == result


@pytest.mark.parametrize("make_copy", COPIES)
def test_handles(engine: genlib.Engine, make_copy: Callable[[Any], Any]) -> None:
    state = engine.create_state("abc")
    call = engine.submit(GenerateToken(state, max_tokens=5), stream=True)
    for handle in (engine, state, call, iter(call)):
        with pytest.raises(TypeError, match=f"cannot copy or pickle {type(handle).__name__}: "):
            make_copy(handle)
    call.close()
    stream = genlib.generate_token(state, stream=True)
    with pytest.raises(TypeError, match="cannot copy or pickle TokenStream"):
        make_copy(stream)
    stream.close()
    assert genlib.generate_token(state, max_tokens=1).token_ids, "the engine and the state live on"


def test_errors_keep_what_they_say() -> None:
    for error in (genlib.InvalidRequest("m", param="p"), genlib.QueueFull("m", retry_after=9)):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))

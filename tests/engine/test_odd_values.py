"""Values that nothing can be done with are refused by one short error that names their parameter, whatever they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.engine import PROMPT, fake_engine

import genlib
from genlib import BeamSearch, Engine, GenerateMulti, GenerateToken, Sampling, Score, ScoreMany
from genlib.engine.options import Options

SHORT = 600  # characters of a message


class Speechless:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


ODD = {
    "an integer of 5,000 digits": 10**5000,
    "an array": np.array([1.5, 2.5]),
    "a two-dimensional array": np.array([[1]]),
    "a masked value": np.ma.masked,
    "not a number": np.float64("nan"),
    "a date": np.datetime64("now"),
    "no date": np.datetime64("NaT"),
    "a duration": np.timedelta64(1),
    "a complex number": 1j,
    "an object without repr": Speechless(),
    "a class": Speechless,
    "long strings": ["x" * 10**6] * 3,
    "a long string": "x" * 10**6,
    "many numbers": list(range(-(10**5), 0)),
    "bytes": b"x" * 10**6,
    "nested": [[[[[[]]]]]],
}
SAMPLING = ["temperature", "top_p", "top_k", "min_p", "seed", "repetition_penalty", "logit_bias", "allowed_tokens"]
GENERATING = [*SAMPLING, "max_tokens", "min_tokens", "probability", "top_logprobs", "ignore_eos", "include_stop"]
CALLS: list[tuple[Callable[..., Any], list[str]]] = [
    (genlib.generate_token, [*GENERATING, "stop_sequences", "timeout", "stream", "token_mask"]),
    (genlib.generate_multi, [*GENERATING, "stop_sequences", "timeout", "n", "keep_states"]),
    (genlib.generate_tokens, [*GENERATING, "timeout"]),
    (genlib.beam_search, ["num_beams", "max_length", "early_stopping", "length_penalty", "num_return", "keep_states"]),
]


@pytest.fixture(scope="module")
def engine() -> Iterator[genlib.Engine]:
    with fake_engine() as engine:
        yield engine


def refused(what: Callable[..., Any], param: str | None = None, *arguments: object, **options: object) -> None:
    with pytest.raises(genlib.GenlibError) as caught:
        what(*arguments, **options)
    assert len(str(caught.value)) < SHORT
    if param is not None:
        assert f"`{param}" in str(caught.value)
        assert str(caught.value.param).startswith(param)


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_parameters_of_calls(engine: genlib.Engine, value: object) -> None:
    state = engine.create_state(PROMPT)
    before = state.tokens
    for call, params in CALLS:
        for param in params:
            if param == "top_k" and isinstance(value, int):
                continue  # as many as there are
            refused(call, param, [state] if call is genlib.generate_tokens else state, **{param: value})
    assert state.tokens == before
    state.close()


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_arguments_of_methods(engine: genlib.Engine, value: Any) -> None:
    state = engine.create_state(PROMPT)
    for what in (
        lambda: engine.create_state(tokens=value),
        lambda: engine.create_state(tokens=[value]),
        lambda: engine.state(value),
        lambda: engine.detokenize(value),
        lambda: engine.detokenize([value]),
        lambda: engine.submit(value),
        lambda: engine.submit(GenerateToken(value)),
        lambda: engine.submit(GenerateMulti(value)),
        lambda: engine.submit(BeamSearch(value)),
        lambda: engine.submit(Score(state, value)),
        lambda: engine.submit(Score(state, (value,))),
        lambda: engine.submit(ScoreMany(state, (value,))),
        lambda: engine.submit(ScoreMany(state, ((97,), (value,)))),
        lambda: engine.submit(GenerateToken(state, sampling=value)),
        lambda: engine.submit(GenerateToken(state, sampling=Sampling(logit_bias={0: value}))),
        lambda: engine.submit_all(value),
        lambda: engine.submit_all([value]),
        lambda: genlib.generate_token(value),
        lambda: genlib.generate_tokens(value),
        lambda: genlib.generate_tokens([value]),
        lambda: genlib.beam_search(value),
        lambda: state.truncate(value),
        lambda: state.score([value]),
    ):
        refused(what)
    if getattr(value, "shape", None) != (1, 1):  # a list of lists, as it should be
        refused(lambda: engine.submit(ScoreMany(state, value)))
    if not isinstance(value, str):
        refused(lambda: engine.create_state(value), "prompt")
        refused(lambda: engine.tokenize(value), "text")
        refused(lambda: state.append(value), "text")
    assert engine.states() == [state]
    state.close()


@pytest.mark.parametrize("value", [*ODD.values(), 3.5, "", "a\0b"], ids=[*ODD, "a fraction", "nothing", "a null"])
def test_options_of_engines(value: Any) -> None:
    for option in ("device", "dtype", *(option.name for option in fields(Options))):
        refused(Engine, option, **{option: value})
    refused(Engine, None, value)


BAD_IDS = [(-1,), (97, -5), (float("nan"),), (1.5,), (True,), (None,), ("a",), (10**5000,), (260,), ()]


@pytest.mark.parametrize("ids", BAD_IDS, ids=map(str, range(len(BAD_IDS))))
def test_ids_to_score(engine: genlib.Engine, ids: Any) -> None:
    """A bad one would end the step of all calls, or the engine's thread."""
    with engine.create_state(PROMPT) as state:
        other = engine.submit(GenerateToken(state.fork(), max_tokens=50))
        refused(lambda: engine.run(Score(state, ids)))
        refused(lambda: engine.run(ScoreMany(state, ((97,), ids))))
        assert other.result().token_ids
    for state in engine.states():
        state.close()


def test_what_numpy_has_for_numbers_is_taken(engine: genlib.Engine) -> None:
    """As numbers without its bounds: 100 in eight bits does not overflow later."""
    options = {"max_batch": np.int8(4), "prefill_chunk": np.uint8(255), "max_queue": np.uint8(200)}
    with fake_engine(**options) as small:
        state = small.create_state(PROMPT * 4)
        assert [type(value) for value in (small.max_batch, small.scheduler.chunk, small.scheduler.max_queue)] == [
            int
        ] * 3
        assert genlib.generate_token(state, max_tokens=np.int16(3), timeout=np.float32(30)).token_ids
        state.truncate(np.int64(2))
        assert state.num_tokens == 2
        assert small.run(Score(state, np.array([97, 98]))).token_ids == (97, 98)


def test_a_model_may_be_any_kind_of_path(tmp_path: Path) -> None:
    class Named:
        def __fspath__(self) -> str:
            return str(tmp_path)

    with pytest.raises(genlib.CheckpointError, match=r"config\.json"):
        Engine(Named())

"""What arguments may be made of: numpy's scalars and arrays, tensors; and what is said of those that nobody knows."""

from __future__ import annotations

import array

import numpy as np
import pytest
import torch
from support.engine import PROMPT, engines

import genlib
from genlib import Sampling

engine = pytest.fixture(engines)


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"max_tokens": np.int64(3)}, {"max_tokens": 3}),
        ({"temperature": np.float64(0.5), "top_p": np.float32(0.5)}, {"temperature": 0.5, "top_p": 0.5}),
        ({"seed": np.uint64(2**63)}, {"seed": 2**63}),
        ({"ignore_eos": np.True_}, {"ignore_eos": True}),
        ({"logit_bias": {np.int32(97): np.float32(2)}}, {"logit_bias": {97: 2.0}}),
        ({"allowed_tokens": np.arange(97, 99)}, {"allowed_tokens": [97, 98]}),
        ({"allowed_tokens": torch.tensor([97, 98])}, {"allowed_tokens": [97, 98]}),
        ({"allowed_tokens": range(97, 99)}, {"allowed_tokens": [97, 98]}),
        ({"stop_sequences": np.array(["a", "b"])}, {"stop_sequences": ["a", "b"]}),
    ],
)
def test_numpys_values_are_pythons(engine: genlib.Engine, given: dict, plain: dict) -> None:
    state = engine.create_state(PROMPT)
    results = [genlib.generate_multi(state, **{"seed": 1, **options}) for options in (given, plain)]
    assert results[0] == results[1]
    sampling = [Sampling(**{k: v for k, v in o.items() if k in Sampling.__slots__}) for o in (given, plain)]
    assert repr(sampling[0]) == repr(sampling[1])


MAKERS = [np.array, torch.tensor, tuple, lambda ids: array.array("q", ids), lambda ids: map(int, ids)]


@pytest.mark.parametrize("make", MAKERS)
def test_tokens_of_all_kinds(engine: genlib.Engine, make) -> None:
    ids = [257, 97, 98]
    if make([1]).__class__ is map:
        with pytest.raises(genlib.InvalidRequest, match="`tokens` must be a list of token ids"):
            engine.create_state(tokens=make(ids))
    else:
        assert engine.create_state(tokens=make(ids)).tokens == tuple(ids)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (np.array([[1, 2]]), r"`tokens\[0\]` must be an integer"),
        (np.array([1.0]), r"`tokens\[0\]` must be an integer ≥ 0, got 1.0"),
        (np.int64(5), "`tokens` must be a list of token ids"),
        ({"input_ids": [1, 2]}, r"pass its \[\"input_ids\"\]"),
        ("abc", "`tokens` must be a list of token ids, got 'abc'"),
        ([True], r"`tokens\[0\]` must be an integer"),
    ],
)
def test_what_is_no_list_of_tokens(engine: genlib.Engine, tokens: object, message: str) -> None:
    with pytest.raises(genlib.InvalidRequest, match=message):
        engine.create_state(tokens=tokens)


@pytest.mark.parametrize("state", ["Once", None, [1], 5])
def test_what_is_no_state(state: object) -> None:
    with pytest.raises(genlib.InvalidRequest, match=r"`state` must be a State, as returned by engine\.create_state"):
        genlib.generate_token(state)


@pytest.mark.parametrize(
    ("call", "name", "meant"),
    [
        (genlib.generate_token, "stop", "stop_sequences"),
        (genlib.generate_token, "max_new_tokens", "max_tokens"),
        (genlib.beam_search, "max_new_tokens", "max_length"),
        (genlib.generate_multi, "num_return_sequences", "n"),
        (genlib.beam_search, "num_return_sequences", "num_return"),
        (genlib.aio.generate_token, "temprature", "temperature"),
        (genlib.aio.beam_search, "beam_width", "num_beams"),
    ],
)
def test_names_of_other_libraries(engine: genlib.Engine, call, name: str, meant: str) -> None:
    with pytest.raises(TypeError, match=f"keyword argument '{name}'; did you mean '{meant}'"):
        call(engine.create_state(PROMPT), **{name: 1})
    with pytest.raises(TypeError, match=r"keyword argument 'xyzzy'$"):
        call(engine.create_state(PROMPT), xyzzy=1)


@pytest.mark.parametrize("name", ["max_batch", "prefill_chunk", "max_queue", "threads", "kv_memory"])
def test_options_out_of_all_proportion(name: str) -> None:
    with pytest.raises(genlib.InvalidRequest, match=name):
        genlib.Engine(**{name: 10**18})


def test_a_model_that_is_no_folder() -> None:
    with pytest.raises(genlib.CheckpointError, match="gpt2 is not a folder; download the checkpoint"):
        genlib.Engine("gpt2")


def test_texts_there_and_back() -> None:
    with genlib.Engine(threads=1) as engine:
        for text in ("The fox", " a dragon!", "é ü \N{SNOWMAN}", ""):
            assert engine.detokenize(engine.tokenize(text)) == text
        assert engine.detokenize(tuple(engine.eos_ids)) == ""
        with pytest.raises(genlib.InvalidRequest, match="tokens"):
            engine.detokenize([10**6])


def test_results_are_sequences(engine: genlib.Engine) -> None:
    state = engine.create_state(PROMPT)
    multi = genlib.generate_multi(state, n=3, max_tokens=4, seed=1)
    assert (len(multi), multi[2], tuple(multi)) == (3, multi.continuations[2], multi.continuations)
    beams = genlib.beam_search(state, num_beams=3, max_length=4, keep_states=True)
    assert [beam.text for beam in beams] == list(beams.beams)
    assert (len(beams), beams[-1].score, beams[1].state) == (3, beams.scores[-1], beams.states[1])
    with pytest.raises(IndexError):
        beams[3]


def test_stop_sequences_have_a_bound_in_all(engine: genlib.Engine) -> None:
    """States keep theirs."""
    engine.create_state(PROMPT, stop_sequences=["a" * 8192, "b" * 8192])
    with pytest.raises(genlib.InvalidRequest, match="at most 16384 bytes in total, got 16385"):
        engine.create_state(PROMPT, stop_sequences=["a" * 8192, "b" * 8193])


def test_how_many_continuations(engine: genlib.Engine) -> None:
    state = engine.create_state(PROMPT)
    with pytest.raises(genlib.InvalidRequest, match="`n` must be an integer from 1 to 65536, got 65537"):
        genlib.generate_multi(state, n=65537)
    with pytest.raises(genlib.InvalidRequest, match="`n` must be an integer from 1 to 1024, got 1025"):
        genlib.generate_multi(state, n=1025, keep_states=True)


@pytest.mark.parametrize("endless", [range(10**12), range(10**30)])
def test_a_range_without_end_is_refused(engine: genlib.Engine, endless: range) -> None:
    state = engine.create_state("a")
    for call in (
        lambda: engine.create_state(tokens=endless),
        lambda: genlib.generate_token(state, allowed_tokens=endless),
        lambda: genlib.generate_token(state, stop_sequences=endless),
        lambda: genlib.generate_tokens(endless),
        lambda: genlib.generate_tokens([state], seed=endless),
        lambda: state.score(endless),
    ):
        with pytest.raises(genlib.InvalidRequest, match=r"`\w+` must have at most 4194304 items"):
            call()


@pytest.mark.parametrize("timeout", ["1", [1], float("nan"), 10**400, True])
def test_a_wrong_timeout_of_a_wait_does_not_end_the_call(engine: genlib.Engine, timeout: object) -> None:
    call = engine.submit(genlib.GenerateToken(engine.create_state("a"), max_tokens=2, ignore_eos=True))
    with pytest.raises(genlib.InvalidRequest, match="`timeout` must be a number of seconds"):
        call.result(timeout)
    assert len(call.result(20).token_ids) == 2

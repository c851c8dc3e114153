"""The engine on torch's operations: the promise, and the tokens of the CPU's where no two are nearly as likely."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from support.http import Client

import genlib
from genlib.server import create_app

PROMPTS = ["Once upon a time", "The fox", "A long story about a bear " * 12, "There was a hen who"]
OPTIONS: dict[str, Any] = {"max_tokens": 8, "temperature": 0.9, "top_p": 0.95, "top_logprobs": 3}


def torch_engine(**options: Any) -> genlib.Engine:
    return genlib.Engine(kernels="torch", kv_memory=64 << 20, **options)


@pytest.fixture(scope="module")
def engine() -> Iterator[genlib.Engine]:
    with torch_engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def expected(engine: genlib.Engine) -> list[Any]:
    return [answers(engine, i) for i in range(4)]


def answers(engine: genlib.Engine, i: int) -> Any:
    """Everything of a call, to the last bit."""
    with engine.create_state(PROMPTS[i % 4]) as state:
        result = genlib.generate_token(state, seed=i, repetition_penalty=1 + i % 2 / 10, **OPTIONS)
        return result.token_ids, result.probabilities, result.logprobs, result.top_logprobs


def test_company_changes_no_bit(engine: genlib.Engine, expected: list[Any]) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda i: answers(engine, i), range(4))) == expected


@pytest.mark.parametrize("chunk", [1, 7])
def test_chunks_change_no_bit(expected: list[Any], chunk: int) -> None:
    with torch_engine(prefill_chunk=chunk, max_batch=chunk) as engine:
        assert [answers(engine, i) for i in range(2)] == expected[:2]


def test_one_continuation_is_the_first_of_many(engine: genlib.Engine) -> None:
    with engine.create_state(PROMPTS[0]) as state:
        one = genlib.generate_token(state.fork(), seed=3, max_tokens=6)
        many = genlib.generate_multi(state, n=3, seed=3, max_tokens=6)
    assert many[0].token_ids == one.token_ids
    assert many[0].logprobs == one.logprobs


def test_a_state_whose_pages_are_dropped_goes_on_with_the_same_bits(engine: genlib.Engine) -> None:
    with engine.create_state(PROMPTS[2]) as state:
        kept = state.fork()
        first = genlib.generate_token(state, seed=5, max_tokens=4)
        with engine.lock:
            engine.cache.drop_all()
        again = genlib.generate_token(kept, seed=5, max_tokens=4)
    assert (again.token_ids, again.logprobs) == (first.token_ids, first.logprobs)


def test_it_agrees_with_the_cpu(engine: genlib.Engine) -> None:
    with genlib.Engine(threads=1) as cpu:
        assert cpu.fingerprint != engine.fingerprint
        found = []
        for one in (cpu, engine):
            with one.create_state(PROMPTS[0]) as state:
                beams = genlib.beam_search(state, num_beams=4, max_length=6)
                score = state.score(" there was a fox who lived in the wood.")
                token = genlib.generate_token(state, seed=1, max_tokens=16)
                found.append((beams.token_ids, token.token_ids, score))
    (beams, token, score), (torch_beams, torch_token, torch_score) = found
    assert (beams, token) == (torch_beams, torch_token)
    np.testing.assert_allclose(score.logprobs, torch_score.logprobs, atol=0.05)  # bfloat16 between the operations


def test_it_is_served(engine: genlib.Engine) -> None:
    with closing(Client(create_app(engine))) as client:
        answer = client.post("/v1/generate/token", {"prompt": "The fox", "max_tokens": 3, "seed": 1})
    with engine.create_state("The fox") as state:
        assert tuple(answer.json()["token_ids"]) == genlib.generate_token(state, max_tokens=3, seed=1).token_ids


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_other_types_agree_with_the_cpu_and_with_themselves(dtype: str) -> None:
    found = []
    for options in ({"kernels": "torch"}, {"kernels": "torch", "prefill_chunk": 3, "max_batch": 3}, {"threads": 1}):
        with genlib.Engine(dtype=dtype, **options) as engine, engine.create_state(PROMPTS[3]) as state:
            found.append(genlib.generate_token(state, temperature=0, max_tokens=8))
    torch, in_chunks, cpu = found
    assert torch.token_ids == in_chunks.token_ids == cpu.token_ids
    assert torch.logprobs == in_chunks.logprobs
    np.testing.assert_allclose(torch.logprobs, cpu.logprobs, atol=1e-5 if dtype == "float32" else 1e-2)

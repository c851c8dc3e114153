"""generate_tokens: many states in one call, which all change or none."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import itertools
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.engine import PROMPT, FakeModel, engines, fake_engine, slow_engines

import genlib
from genlib.calls.channel import Channel
from genlib.sampling.seeds import splitmix64

engine = pytest.fixture(engines)
slow = pytest.fixture(slow_engines)
PROMPTS = ["a", "the quick", PROMPT, "x" * 40, "a"]


def opened(engine: genlib.Engine, count: int = len(PROMPTS)) -> list[genlib.State]:
    return [engine.create_state(PROMPTS[i % len(PROMPTS)]) for i in range(count)]


def serial(engine: genlib.Engine, results: tuple[genlib.TokenResult, ...], **options: Any) -> list[genlib.TokenResult]:
    """What generate_token gives on the same prompts with the seeds of some results."""
    states = opened(engine, len(results))
    found = [
        genlib.generate_token(state, **options, seed=result.seed) for state, result in zip(states, results, strict=True)
    ]
    return [dataclasses.replace(one, state_id=result.state_id) for one, result in zip(found, results, strict=True)]


@pytest.mark.parametrize("seed", [7, None, [1, 2, 2**64 - 1, None, 5]])
def test_each_result_is_that_of_its_state_alone(engine: genlib.Engine, seed: Any) -> None:
    options: dict[str, Any] = {"max_tokens": 20, "temperature": 0.7, "top_logprobs": 2, "stop_sequences": ["e"]}
    states = opened(engine)
    results = genlib.generate_tokens(states, seed=seed, **options)
    assert [result.state_id for result in results] == [state.id for state in states]
    assert list(results) == serial(engine, results, **options)
    assert [s.text for s in states] == [p + r.text for p, r in zip(PROMPTS, results, strict=True)]
    if seed == 7:
        assert [r.seed for r in results] == [7, *(splitmix64(7, i) for i in range(1, 5))]
    elif seed is not None:
        assert [r.seed for r in results if r.seed != results[3].seed] == [1, 2, 2**64 - 1, 5]


def test_the_embedded_model_gives_the_same_bits() -> None:
    with genlib.Engine(threads=1) as engine:
        states = opened(engine)
        results = genlib.generate_tokens(states, max_tokens=12, seed=3)
        assert list(results) == serial(engine, results, max_tokens=12)


def test_they_share_steps_and_more_than_a_batch_take_turns() -> None:
    model = FakeModel()
    with fake_engine(model, max_batch=4, pages=200) as engine:
        results = genlib.generate_tokens(opened(engine, 10), max_tokens=8, seed=1)
        assert max(sequences for _, sequences in model.steps) == 4
        assert list(results) == serial(engine, results, max_tokens=8)


def test_no_states_and_ended_states(engine: genlib.Engine) -> None:
    assert genlib.generate_tokens([]) == ()
    with fake_engine(FakeModel(eos_every=2)) as ending:
        states = opened(ending, 3)
        assert genlib.generate_token(states[1], max_tokens=50).finish_reason == "end_of_text"
        results = genlib.generate_tokens(states, max_tokens=50, seed=1)
        assert (results[1].token_ids, results[1].finished) == ((), True)
        assert results[2].finish_reason == "end_of_text"


def unchanged(states: list[genlib.State]) -> None:
    """None has a new token, and all can be used."""
    assert [state.text for state in states] == [PROMPTS[i % len(PROMPTS)] for i in range(len(states))]
    for state in states:
        state.append("x")
        state.truncate(state.num_tokens - 1)


@pytest.mark.parametrize(
    ("change", "options", "param"),
    [
        (lambda states, _: [*states, states[1]], {}, "states[5]"),
        (lambda states, _: [*states, "text"], {}, "states[5]"),
        (lambda states, other: [*states, other], {}, "states[5]"),
        (lambda *_: 5, {}, "states"),
        (lambda states, _: states, {"seed": [1, 2]}, "seed"),
        (lambda states, _: states, {"seed": [1, 2, 3, 4, -5]}, "seed[4]"),
        (lambda states, _: states, {"max_tokens": 230}, "max_tokens"),
        (lambda states, _: states, {"timeout": 0}, "timeout"),
    ],
)
def test_what_it_refuses(engine: genlib.Engine, change: Any, options: dict[str, Any], param: str) -> None:
    states = opened(engine)
    with fake_engine() as elsewhere:
        given = change(states, elsewhere.create_state("a"))
        for call in (genlib.generate_tokens, genlib.aio.generate_tokens):
            with pytest.raises(genlib.InvalidRequest) as caught:
                call(given, **options)
            assert caught.value.param == param
    unchanged(states)


def test_a_busy_or_closed_state_changes_none(slow: genlib.Engine) -> None:
    states = opened(slow)
    call = slow.submit(genlib.GenerateToken(states[3], max_tokens=500))
    with pytest.raises(genlib.StateBusy):
        genlib.generate_tokens(states)
    call.cancel()
    unchanged(states)
    closed = opened(slow)
    closed[2].close()
    with pytest.raises(genlib.StateNotFound):
        genlib.generate_tokens(closed)


class Failing:
    """A mask that fails at its third token in one of the states."""

    def __init__(self, forks: list[Failing], count: int = 0) -> None:
        self.forks, self.count = forks, count

    def fill(self, words: Any) -> None: ...
    def accept(self, token_id: int) -> None:
        self.count += 1
        if self.count == 3 and self.forks.index(self) == 1:
            raise ValueError("no further")

    def fork(self) -> Failing:
        self.forks.append(Failing(self.forks))
        return self.forks[-1]


def test_one_that_fails_changes_none(engine: genlib.Engine) -> None:
    """Not those either that had all their tokens before."""
    states = opened(engine)
    given, forks = Failing([]), []  # type: ignore[var-annotated]
    given.forks = forks
    assert len(genlib.generate_tokens([s.fork() for s in states], max_tokens=2, token_mask=given)) == 5
    assert (len(forks), given.count, [fork.count for fork in forks]) == (5, 0, [2] * 5)
    options: dict[str, Any] = {"max_tokens": 20, "stop_sequences": list("abcdefghijkl")}
    for seed in itertools.count():
        lengths = [len(r.token_ids) for r in genlib.generate_tokens([s.fork() for s in states], seed=seed, **options)]
        if lengths[1] > 3 and min(lengths) < 3:
            break
    forks.clear()
    with pytest.raises(genlib.TokenMaskError, match="no further"):
        genlib.generate_tokens(states, seed=seed, token_mask=given, **options)
    assert min(fork.count for fork in forks) < 3
    unchanged(states)


def test_a_timeout_ends_all(slow: genlib.Engine) -> None:
    states = opened(slow)
    with pytest.raises(genlib.CallTimeout):
        genlib.generate_tokens(states, max_tokens=1500, timeout=0.05)
    unchanged(states)
    group = slow.submit_all([genlib.GenerateToken(state, max_tokens=1500) for state in states])
    with pytest.raises(TimeoutError, match="still running"):
        group.result(timeout=0.01)
    assert not group.done
    group.cancel()
    with pytest.raises(genlib.CallCancelled):
        group.result()
    unchanged(states)


def test_a_wake_too_many_ends_no_wait(engine: genlib.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Channel.on_change may wake although what is waited for was there already."""

    def eager(self: Channel, ready: Callable[[], bool], wake: Callable[[], None]) -> bool:
        wake()
        return plain(self, ready, wake)

    plain = Channel.on_change
    states = opened(engine)
    with monkeypatch.context() as patched:
        patched.setattr(Channel, "on_change", eager)
        group = engine.submit_all([genlib.GenerateToken(state, max_tokens=150) for state in states])
        assert [len(result.token_ids) for result in group.result()] == [150] * 5


def test_requests_of_other_kinds(engine: genlib.Engine) -> None:
    with pytest.raises(genlib.InvalidRequest, match=r"`requests\[1\]` must be a GenerateToken"):
        engine.submit_all(
            [genlib.GenerateToken(engine.create_state("a")), genlib.Score(engine.create_state("a"), (5,))]
        )  # type: ignore[list-item]


def test_a_handle_that_is_dropped_changes_none(slow: genlib.Engine) -> None:
    states = opened(slow)
    group = slow.submit_all([genlib.GenerateToken(state, max_tokens=2) for state in states])
    while not group.done:
        pass
    with pytest.raises(genlib.StateBusy):
        states[0].close()
    del group
    gc.collect()
    unchanged(states)


def test_an_interrupt_changes_none(slow: genlib.Engine) -> None:
    states = opened(slow)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.03)
    try:
        with pytest.raises(KeyboardInterrupt):
            genlib.generate_tokens(states, max_tokens=1500)
    finally:
        signal.signal(signal.SIGALRM, before)
    unchanged(states)


def test_closing_the_engine_ends_it() -> None:
    gate = threading.Semaphore(3)
    with fake_engine(FakeModel(gate=gate)) as engine:
        closer = threading.Timer(0.05, lambda: (gate.release(), engine.close()))
        closer.start()
        with pytest.raises(genlib.EngineClosed):
            genlib.generate_tokens(opened(engine), max_tokens=200)
        gate.release(1000)
        closer.join()


def test_coroutines(slow: genlib.Engine) -> None:
    states = opened(slow)

    async def run() -> tuple[genlib.TokenResult, ...]:
        assert await genlib.aio.generate_tokens([]) == ()
        task = asyncio.ensure_future(genlib.aio.generate_tokens(states, max_tokens=1500))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await genlib.aio.generate_tokens(states, max_tokens=5, seed=1)

    results = asyncio.run(run())
    assert list(results) == serial(slow, results, max_tokens=5)
    assert [s.text for s in states] == [p + r.text for p, r in zip(PROMPTS, results, strict=True)]

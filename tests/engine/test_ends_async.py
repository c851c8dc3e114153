"""The same for coroutines: a loop that is left, a task that is cancelled, a call as a coroutine."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
from support.engine import (
    PROMPT,
    check_free,
    ids,
    slow_engines,
)

import genlib

slow = pytest.fixture(slow_engines)


class TestCoroutines:
    @pytest.mark.parametrize("way", ["break", "return", "with", "aclosing", "task"])
    def test_a_loop_that_is_left(self, slow: genlib.Engine, way: str) -> None:
        async def take(call: genlib.Call) -> None:
            taken = 0
            async for _ in call:
                taken += 1
                if taken == 5:
                    if way == "return":
                        return
                    break

        async def run() -> None:
            state = slow.create_state(PROMPT)
            before = state.tokens
            call = genlib.aio.generate_token(state, max_tokens=200, seed=1, stream=True)
            if way == "aclosing":
                async with contextlib.aclosing(call):
                    await take(call)
            elif way == "task":
                await asyncio.create_task(take(call))
            else:
                await take(call)
            assert state.num_tokens == len(before) + 5
            with state:  # closing it at once is the most natural thing to do
                check_free(state, before, 5)

        asyncio.run(run())

    def test_pieces_one_by_one(self, slow: genlib.Engine) -> None:
        async def run() -> None:
            state = slow.create_state(PROMPT)
            call = genlib.aio.generate_token(state, max_tokens=9, seed=1, stream=True)
            first = await anext(call)
            rest = [piece async for piece in call]
            tokens = [token for piece in [first, *rest] for token in piece.token_ids]
            assert tuple(tokens) == ids(slow, max_tokens=9, seed=1) == (await call).token_ids
            with pytest.raises(StopAsyncIteration):
                await anext(call)

        asyncio.run(run())

    def test_a_call_is_a_coroutine(self, slow: genlib.Engine) -> None:
        async def run() -> None:
            state = slow.create_state(PROMPT)
            task = asyncio.create_task(genlib.aio.generate_multi(state, n=2, max_tokens=3, seed=1))
            pair = await asyncio.gather(
                genlib.aio.generate_multi(state, max_tokens=3, seed=1),
                asyncio.wait_for(genlib.aio.beam_search(state, num_beams=2, max_length=3), 30),
            )
            assert (await task).continuations[0].token_ids == pair[0].continuations[0].token_ids

        asyncio.run(run())

    @pytest.mark.parametrize("streams", [False, True])
    def test_a_task_that_is_cancelled(self, slow: genlib.Engine, streams: bool) -> None:
        async def run() -> None:
            state = slow.create_state(PROMPT)
            before = state.tokens

            async def work() -> None:
                if streams:
                    async for _ in genlib.aio.generate_token(state, max_tokens=900, stream=True):
                        pass
                await genlib.aio.generate_token(state, max_tokens=900)

            with pytest.raises(TimeoutError):
                await asyncio.wait_for(work(), 0.03)
            check_free(state, before, 0)

        asyncio.run(run())

    def test_a_loop_that_closes_while_its_task_waits(self, slow: genlib.Engine) -> None:
        """The engine's thread survives telling it."""
        state = slow.create_state(PROMPT)
        before = state.tokens
        loop = asyncio.new_event_loop()
        task = loop.create_task(genlib.aio.generate_token(state, max_tokens=100, seed=1))
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
        while state.num_tokens == len(before):
            time.sleep(0.001)
        check_free(state, before, 100)
        task._log_destroy_pending = False

    @pytest.mark.parametrize("way", ["task", "wait_for", "group", "gather"])
    def test_a_task_that_is_cancelled_before_its_first_step(self, slow: genlib.Engine, way: str) -> None:
        async def start(call: genlib.Call) -> None:
            if way == "task":
                task = asyncio.create_task(call)
                task.cancel()
                await task
            elif way == "wait_for":
                await asyncio.wait_for(call, 0)
            elif way == "group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(call)
                    raise ValueError
            else:
                async with asyncio.timeout(0):
                    await asyncio.gather(call)

        async def run() -> None:
            state = slow.create_state(PROMPT)
            before = state.tokens
            with contextlib.suppress(asyncio.CancelledError, TimeoutError, ExceptionGroup):
                await start(genlib.aio.generate_token(state, max_tokens=200, ignore_eos=True))
            check_free(state, before, 0)

        asyncio.run(run())

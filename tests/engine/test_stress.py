"""Many callers at once on the embedded model with few pages; then each alone: the same answers, bit for bit."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.answers import answer_of, kept
from support.engine import check_pages_back, wait_until_idle
from support.marks import slow

import genlib
from genlib import BeamSearch, GenerateMulti, GenerateToken, Sampling

CALLERS = 32
PREFIXES = "Once upon a time there was a", "Once upon a time, " * 9, "The cat sat. " * 8, "A", "Lily ran. " * 30
KINDS = ("token", "token", "stream", "cancel", "multi", "beam", "beam", "beam", "score", "fork", "append", "truncate")
REFUSALS = genlib.InvalidRequest, genlib.OutOfCapacity, genlib.StateBusy
CANCELLED = "cancelled"
Step = tuple[Any, ...]


def sampling(seed: int) -> Sampling:
    """Every third call is greedy, so that callers compute pages of equal contents."""
    return Sampling(seed=seed, temperature=0 if seed % 3 == 0 else 1, top_p=0.9)


@dataclass
class Caller:
    """One that makes and uses states of its own. `public`: states that all callers read."""

    engine: genlib.Engine
    public: list[genlib.State]
    states: list[genlib.State] = field(default_factory=list)
    log: list[tuple[Step, object]] = field(default_factory=list)

    def live(self, seed: int, steps: int) -> None:
        rng = random.Random(seed)
        for _ in range(steps):
            step = self.choose(rng)
            self.log.append((step, self.outcome(step)))
        for state in self.states:
            state.close()

    def choose(self, rng: random.Random) -> Step:
        n, i, seed = rng.choice([1, 2, 3, 7, 15, 16, 17, 30]), rng.randrange(99), rng.randrange(99)
        if not self.states or rng.random() < 0.1:
            return "create", rng.choice(PREFIXES), rng.choice(["", "", "other"])
        if len(self.states) > 5:
            return "close", i
        kind = rng.choice(KINDS)
        return kind, i, n, seed, rng.randrange(1, 7), rng.random() < 0.3, rng.choice([True, False, "never"])

    def outcome(self, step: Step) -> object:
        """What a step answers, or the name of its error."""
        state = self.pick(step)
        try:
            found = self.act(step, state)
        except genlib.CallCancelled:
            return CANCELLED
        except REFUSALS as error:
            found = type(error).__name__
        return found, None if step[0] == "close" else kept(state)

    def pick(self, step: Step) -> genlib.State | None:
        """The state that a step is about. One that only reads may be about a public one."""
        if step[0] == "create":
            return None
        mine = self.states if step[0] not in ("multi", "beam", "score", "fork") else self.states + self.public
        return mine[step[1] % len(mine)]

    def act(self, step: Step, state: Any) -> object:
        match step:
            case ("create", prompt, namespace):
                self.states.append(self.engine.create_state(prompt, namespace=namespace))
            case ("close", *_):
                state.close()
                self.states.remove(state)
            case ("fork", *_):
                self.states.append(state.fork())
            case ("append", _, n, *_):
                state.append(" and then" * n)
            case ("truncate", _, n, *_):
                state.truncate(max(1, state.num_tokens - n))
            case ("stream", _, n, seed, taken, *_):
                return self.take(GenerateToken(state, max_tokens=n, sampling=sampling(seed)), taken)
            case _:
                return self.call(step, state)
        return None

    def take(self, request: GenerateToken, taken: int) -> object:
        """Some of a stream's pieces."""
        tokens = []
        with closing(self.engine.submit(request, stream=True)) as stream:
            for piece in stream:
                tokens.append(piece.token_ids)
                if len(tokens) == taken:
                    break
        return tokens

    def call(self, step: Step, state: genlib.State) -> object:
        kind, _, n, seed, width, keep, early = step
        if kind == "score":
            return answer_of(state.score(" and so on" * n))
        if kind == "multi":
            request: Any = GenerateMulti(state, n=width, max_tokens=n, sampling=sampling(seed), keep_states=keep)
        elif kind == "beam":
            request = BeamSearch(state, num_beams=width, max_length=n, keep_states=keep, early_stopping=early)
        else:
            request = GenerateToken(state, max_tokens=n, sampling=sampling(seed))
        call = self.engine.submit(request)
        if kind == "cancel":
            time.sleep(seed / 50_000)
            call.cancel()
        result = call.result()
        self.states += [one for one in getattr(result, "states", ()) if one is not None]
        return answer_of(result)


def few_pages(pages: int) -> genlib.Engine:
    page_bytes = 49_152  # of the embedded model
    engine = genlib.Engine(threads=2, kv_memory=pages * page_bytes, max_batch=16, prefill_chunk=64, max_queue=1000)
    assert engine.stats().pages_total == pages
    return engine


def finish(engine: genlib.Engine) -> None:
    """Every page must be free, and counted."""
    wait_until_idle(engine)
    for state in engine.states():
        state.close()
    check_pages_back(engine)


def run_at_once(pages: int, seed: int, steps: int) -> list[list[tuple[Step, object]]]:
    """All callers, each on a thread of its own. Their logs."""
    with few_pages(pages) as engine:
        public = [engine.create_state(prefix) for prefix in PREFIXES]
        callers = [Caller(engine, public) for _ in range(CALLERS)]
        failed: list[BaseException] = []

        def guard(live: Callable[[int, int], None], i: int) -> None:
            try:
                live(seed * CALLERS + i, steps)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=guard, args=(caller.live, i)) for i, caller in enumerate(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in failed:
            raise error
        finish(engine)
    return [caller.log for caller in callers]


def check_alone(pages: int, log: list[tuple[Step, object]]) -> None:
    """Repeats a caller's steps, but those that were cancelled in time."""
    with few_pages(pages) as engine:
        caller = Caller(engine, [engine.create_state(prefix) for prefix in PREFIXES])
        for (kind, *rest), outcome in log:
            if outcome != CANCELLED:
                step = ("token" if kind == "cancel" else kind, *rest)
                assert caller.outcome(step) == outcome, step
        finish(engine)


@pytest.mark.parametrize(
    ("pages", "seed", "steps"), [(90, 0, 6), *slow(*[(pages, 1, 60) for pages in (90, 130, 200, 400, 600)])]
)
def test_callers_at_once_are_answered_as_alone(pages: int, seed: int, steps: int) -> None:
    for log in run_at_once(pages, seed, steps):
        check_alone(pages, log)

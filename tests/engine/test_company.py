"""What a call was promised when it began it has to its end, whatever else runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.answers import answer_of
from support.marks import slow
from support.turns import by_hand, finish, run_dry, turn

import genlib
from genlib import BeamSearch, GenerateMulti, GenerateToken, Sampling
from genlib.calls.call import Call
from genlib.calls.requests import Score

REFUSALS = (genlib.StateBusy, genlib.OutOfCapacity, genlib.ContextLengthExceeded, genlib.QueueFull)

which = st.integers(0, 30)
few = st.integers(1, 40)
LENGTHS = st.sampled_from([1, 2, 14, 15, 16, 17, 31, 32, 33, 48, 70])

steps = st.one_of(
    st.tuples(st.just("create"), LENGTHS, st.sampled_from("ab")),
    st.tuples(st.just("fork"), which),
    st.tuples(st.just("append"), which, few),
    st.tuples(st.just("truncate"), which, few),
    st.tuples(st.just("close"), which),
    st.tuples(st.just("turns"), st.integers(1, 30)),
    st.tuples(st.just("token"), which, few, st.booleans(), st.booleans()),
    st.tuples(st.just("multi"), which, st.integers(1, 7), few, st.booleans(), st.booleans()),
    st.tuples(st.just("beam"), which, st.integers(1, 5), few, st.booleans(), st.sampled_from([True, False, "never"])),
    st.tuples(st.just("beam"), which, st.integers(1, 5), few, st.booleans(), st.sampled_from([True, False, "never"])),
    st.tuples(st.just("score"), which, few),
    st.tuples(st.just("cancel"), which),
    st.tuples(st.just("leave"), which),
)


def sampling(greedy: bool) -> Sampling:
    return Sampling(seed=1, temperature=0 if greedy else 1)


def request_of(step: tuple[Any, ...], state: genlib.State) -> Any:
    match step:
        case ("token", _, n, greedy, _):
            return GenerateToken(state, max_tokens=n, sampling=sampling(greedy))
        case ("multi", _, n, length, greedy, keep):
            return GenerateMulti(state, n=n, max_tokens=length, sampling=sampling(greedy), keep_states=keep)
        case ("beam", _, k, length, keep, early):
            return BeamSearch(state, num_beams=k, max_length=length, keep_states=keep, early_stopping=early)
        case ("score", _, n):
            return Score(state, tuple(range(97, 97 + n)))
    raise AssertionError(step)


@dataclass
class Company:
    """The calls under way in an engine with few pages, and what each must answer: as alone in one with many."""

    engine: genlib.Engine
    alone: genlib.Engine
    states: list[genlib.State] = field(default_factory=list)
    calls: list[tuple[Call[Any], object]] = field(default_factory=list)

    def act(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("create", n, letter):
                self.states.append(self.engine.create_state(letter * n))
            case ("turns", n):
                for _ in range(n):
                    turn(self.engine)
            case ("cancel" | "leave", i) if self.calls:
                call = self.calls[i % len(self.calls)][0]
                call.cancel() if step[0] == "cancel" else call.close()
            case ("cancel" | "leave", _):
                pass
            case (_, i, *_) if self.states:
                self.use(step, self.states[i % len(self.states)])

    def use(self, step: tuple[Any, ...], state: genlib.State) -> None:
        match step:
            case ("fork", _):
                self.states.append(state.fork())
            case ("append", _, n):
                state.append("c" * n)
            case ("truncate", _, n):
                state.truncate(min(n, state.num_tokens))
            case ("close", _):
                state.close()
                self.states.remove(state)
            case _:
                self.submit(step, state)

    def submit(self, step: tuple[Any, ...], state: genlib.State) -> None:
        if step[0] == "beam":
            step = (*step[:2], min(step[2], self.engine.scheduler.max_batch), *step[3:])
        request = request_of(step, state)
        same = self.alone.store.add(self.engine.store.read(state).copy())
        call = self.engine.submit(request, stream=step[0] == "token" and step[-1])
        expected = finish(self.alone, self.alone.submit(replace(request, state=same)))
        self.calls.append((call, answer_of(expected)))

    def check(self) -> None:
        """Every call that was not ended on purpose has answered as it does alone."""
        for call, expected in self.calls:
            try:
                result = call.result()
            except genlib.CallCancelled:
                continue
            if not call._left:
                assert answer_of(result) == expected


def check_company(pages: int, rows: int, chunk: int, plan: list[tuple[Any, ...]]) -> None:
    limits = {"max_batch": rows, "prefill_chunk": chunk}
    with by_hand(pages=pages, **limits) as engine, by_hand(pages=2000, **limits) as alone:
        company = Company(engine, alone)
        for step in plan:
            try:
                company.act(step)
            except REFUSALS:
                continue
        run_dry(engine)
        company.check()


@pytest.mark.parametrize("examples", [80, *slow(5000)])
def test_no_call_fails_of_its_company(examples: int) -> None:
    """Searches too: a page is exchanged for an equal one, a beam replaces another, and others take what is free."""
    plans = st.lists(steps, min_size=8, max_size=60)
    pools = {"pages": st.integers(6, 60), "rows": st.integers(1, 8), "chunk": st.sampled_from([1, 9, 64])}
    settings(max_examples=examples)(given(**pools, plan=plans)(check_company))()

"""Who waits takes turns: no caller waits for all the calls of another."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.jobs import FakeJob
from support.turns import by_hand, run_dry, turn

import genlib
from genlib import GenerateToken
from genlib.engine.turns import Turns

CALLERS = st.sampled_from(["a", "b", "c"])


def queue_of(*callers: str) -> tuple[Turns, list[Any]]:
    turns, jobs = Turns(), [FakeJob(caller=caller) for caller in callers]
    for job in jobs:
        turns.join(job)  # type: ignore[arg-type]
    return turns, jobs


def drained(turns: Turns) -> list[Any]:
    taken: list[Any] = []
    while turns:
        taken.append(turns.first)
        turns.take(taken[-1])
    return taken


def test_one_of_each_caller_in_turn() -> None:
    turns, (a1, a2, a3, b1, c1, b2) = queue_of("a", "a", "a", "b", "c", "b")
    assert drained(turns) == [a1, b1, c1, a2, b2, a3]


def test_of_one_caller_the_first_comes_first() -> None:
    turns, jobs = queue_of("", "", "", "")
    turns.leave(jobs[1])
    turns.leave(jobs[1])
    assert len(turns) == 3
    assert drained(turns) == [jobs[0], jobs[2], jobs[3]]


@given(st.lists(st.tuples(st.sampled_from(["join", "take", "leave"]), CALLERS, st.integers(0, 9))))
def test_nobody_is_lost_and_nobody_waits_for_two_of_another(plan: list[tuple[str, str, int]]) -> None:
    turns, inside = Turns(), list[Any]()
    since: dict[Any, Counter[str]] = {}  # of a first job: whom it has seen taken since it was its caller's first
    for what, caller, i in plan:
        if what == "join":
            inside.append(FakeJob(caller=caller))
            turns.join(inside[-1])
        elif inside and what == "take":
            first = turns.first
            turns.take(first)
            inside.remove(first)
            for job in {j.channel.caller: j for j in reversed(inside)}.values():
                if job.channel.caller != first.channel.caller:
                    seen = since.setdefault(job, Counter())
                    seen[first.channel.caller] += 1
                    assert seen[first.channel.caller] <= 1
        elif inside:
            job = inside.pop(i % len(inside))
            turns.leave(job)
        assert len(turns) == len(inside)
        assert Counter(turns) == Counter(inside)
    assert Counter(drained(turns)) == Counter(inside)


def test_who_comes_changes_nothing_for_the_first() -> None:
    turns, (a1, a2) = queue_of("a", "a")
    turns.take(a1)
    assert turns.first is a2
    turns.join(FakeJob(caller="b"))  # type: ignore[arg-type]
    assert turns.first is a2


def test_a_caller_with_one_call_does_not_wait_for_one_with_many() -> None:
    with by_hand(pages=500, max_batch=1) as engine:

        def submit(caller: str) -> Any:
            return engine.submit(GenerateToken(engine.create_state("a"), max_tokens=3), caller=caller)

        many = [submit("many") for _ in range(20)]
        one = submit("one")
        while not one.done:
            turn(engine)
        assert sum(call.done for call in many) <= 2
        run_dry(engine)
        assert all(call.done for call in many)
        with pytest.raises(genlib.InvalidRequest, match="`caller` must be a string"):
            submit(5)  # type: ignore[arg-type]


def test_a_caller_that_asks_for_every_place_leaves_some_to_others() -> None:
    """It asks again after each turn of the engine, the other one only when it has no call left."""
    with by_hand(pages=500, max_batch=1, max_queue=4) as engine:

        def submit(caller: str) -> Any:
            return engine.submit(GenerateToken(engine.create_state("a"), max_tokens=3), caller=caller)

        greedy: list[Any] = []
        patient: list[Any] = []
        for _ in range(200):
            with suppress(genlib.QueueFull):
                while True:
                    greedy.append(submit("greedy"))
            if not patient or patient[-1].done:
                patient.append(submit("patient"))
            turn(engine)
        served = sum(call.done for call in patient), sum(call.done for call in greedy)
        assert served[0] >= served[1] - 1 >= 15
        assert engine.stats().waiting <= 4 + 1
        run_dry(engine)

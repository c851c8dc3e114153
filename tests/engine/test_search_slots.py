"""Where beam searches live: slots, lanes, automata side by side; and what their beams hold in pages."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.answers import answer_of
from support.engine import ByteTokenizer, FakeModel, check_pages_back, fake_engine
from support.turns import by_hand, finish, turn

import genlib
from genlib._native import PAGE_SIZE, StateTable
from genlib.calls.requests import BeamSearch
from genlib.jobs import search_slots
from genlib.jobs.search_slots import STOP_STATES, SearchSlots
from genlib.text import automaton

BYTES = ByteTokenizer()


def slots(rows: int = 6) -> SearchSlots:
    return SearchSlots(rows, 100, 260, frozenset({256}), BYTES.token_bytes)


def request(**options) -> BeamSearch:
    return BeamSearch(None, **options)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.text("ab", max_size=12)), max_size=25), st.randoms())
def test_automata_never_touch(texts, random):
    """Searches come and go; each finds its own stop sequence, and nobody else's."""
    s, live = slots(36), {}
    for beams, stop in texts:
        if len(live) == 6 or (live and random.random() < 0.4):
            s.close(live.pop(random.choice(list(live)))[0])
        slot = s.open(request(num_beams=beams), s.compile((stop,) if stop else ()), b"")
        live[slot.index] = (slot, stop)
        taken = [range(x.first_state, x.first_state + x.num_states) for x, _ in live.values()]
        assert sum(map(len, taken)) == len(set().union(*taken))
        for other, text in live.values():
            table = s.buffers.stop_next[other.first_state : other.first_state + other.num_states]
            if text:
                state = automaton.run(table, other.first_state, b"ab" + text.encode())
                assert s.buffers.stop_ends[state]
            else:
                assert not s.buffers.stop_state[other.lanes].any()


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 40), st.integers(1, 4), st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=120))
def test_lanes_never_touch(rows, per_row, steps):
    """As many beams as there are rows, in searches that come and go in any order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_slots, "LANES_PER_ROW", per_row)
        s, live = slots(rows), []
    for closes, number in steps:
        k = 1 + number % rows
        if live and (closes or k + sum(slot.num_beams for slot in live) > rows):
            s.close(live.pop(number % len(live)))
            continue
        slot = s.open(request(num_beams=k), None, b"")
        if slot is None:
            assert live, "all lanes are free"
            continue
        live.append(slot)
        taken = [lane for one in live for lane in range(one.lane, one.lane + one.num_beams)]
        assert len(taken) == len(set(taken))
        assert max(taken) < len(s.buffers.score) == per_row * rows
        assert len({one.index for one in live}) == len(live)
    for slot in live:
        s.close(slot)
    assert s.open(request(num_beams=rows), None, b"") is not None


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 12)), min_size=1, max_size=14))
def test_searches_that_find_no_lanes_wait_for_their_turn(shapes):
    """With no lanes to spare, gaps are often too small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_slots, "LANES_PER_ROW", 1)
        with by_hand(pages=200, max_batch=8) as engine:
            state = engine.create_state("ab")
            calls = [engine.submit(BeamSearch(state, num_beams=k, max_length=n)) for k, n in shapes]
            jobs, first = [engine.calls._jobs[call.channel] for call in calls], []
            while turn(engine):
                first += [i for i, job in enumerate(jobs) if job._slot is not None and i not in first]
            answers = [answer_of(call.result()) for call in calls]
            alone = [answer_of(finish(engine, engine.submit(job.request))) for job in jobs]
    assert answers == alone
    assert first == sorted(first), "first come, first served"


def test_a_slot_starts_afresh():
    s = slots()
    first = s.open(
        request(num_beams=3, length_penalty=2.0, early_stopping="never", max_length=7), s.compile(("x",)), b""
    )
    b = s.buffers
    for field in (b.score, b.pool_score, b.pool_length, b.stop_state):
        field[first.lanes] = 5
    b.done[first.index] = b.length[first.index] = 1
    s.close(first)
    again = s.open(request(num_beams=2, max_length=5), s.compile(()), b"")
    assert again.index == first.index
    assert b.score[again.lanes].tolist() == [0, np.float32(-1e9)]
    assert not any(field[again.lanes].any() for field in (b.pool_length, b.stop_state))
    assert (b.bound_length[again.index], b.length[again.index], b.done[again.index]) == (0, 0, 0)
    assert b.norms[again.index, 1:6].tolist() == [1, 2, 3, 4, 5]


def test_stop_sequences_that_fill_the_automaton():
    s, half = slots(), "a" * (STOP_STATES // 2)
    first = s.open(request(), s.compile((half,)), b"")
    assert s.open(request(), s.compile((half,)), b"") is None
    s.close(first)
    assert s.open(request(), s.compile((half,)), b"") is not None
    with pytest.raises(genlib.OutOfCapacity, match="stop_sequences"):
        s.compile(("a" * STOP_STATES,))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_branching_keeps_the_tokens_and_the_table(data):
    k = data.draw(st.integers(1, 6))
    table = StateTable(200)
    trunk = table.create(0)
    table.append(trunk, np.arange(data.draw(st.integers(1, 40)), dtype=np.int32))
    handles = np.array([trunk, *(table.fork(trunk) for _ in range(k - 1))], np.int64)
    texts = [table.tokens(int(h)).tolist() for h in handles]
    for _ in range(data.draw(st.integers(1, 25))):
        parents = data.draw(st.lists(st.integers(0, k - 1), min_size=k, max_size=k))
        tokens = data.draw(st.lists(st.integers(0, 9), min_size=k, max_size=k))
        table.branch(handles, np.array(parents, np.int32))
        table.append_one(handles, np.array(tokens, np.int32))
        texts = [[*texts[p], t] for p, t in zip(parents, tokens, strict=True)]
        table.check_integrity()
        assert [table.tokens(int(h)).tolist() for h in handles] == texts
        assert table.num_entries == k
    with pytest.raises(ValueError, match="`parents` must be from 0 to"):
        table.branch(handles, np.full(k, k, np.int32))
    for handle in handles.tolist():
        table.free(handle)
    assert table.num_free == 200


def most_pages(engine: genlib.Engine, call: Callable[[], object]) -> int:
    """The most pages in use at a step of the call."""
    in_use, launch = [], engine._model.launch

    def watch(num_tokens: int) -> None:
        launch(num_tokens)
        in_use.append(engine.cache.num_pages - engine.cache.table.num_free)

    engine._model.launch = watch
    call()
    return max(in_use)


def pages_of(rows: int, prefix: int, length: int) -> int:
    """Of P + rows · T positions: the prefix' whole pages once, its last page and the new tokens for each row; one
    page more is the state's own last."""
    whole, own = prefix // PAGE_SIZE, prefix % PAGE_SIZE + length
    return whole + 1 + rows * math.ceil(own / PAGE_SIZE)


@pytest.mark.parametrize(("beams", "prefix", "length"), [(4, 100, 40), (8, 161, 16), (1, 32, 50), (16, 1000, 32)])
def test_beams_hold_the_prefix_once_and_their_own_tokens(beams, prefix, length):
    with fake_engine(FakeModel(context_length=1100), pages=300) as engine:
        state = engine.create_state(tokens=[97] * prefix)
        options = {"num_beams": beams, "max_length": length, "early_stopping": "never"}
        assert most_pages(engine, lambda: genlib.beam_search(state, **options)) <= pages_of(beams, prefix, length)
        state.close()
        check_pages_back(engine)


@pytest.mark.parametrize(("n", "prefix", "length"), [(4, 100, 40), (16, 1000, 33)])
def test_continuations_hold_the_prefix_once_and_their_own_tokens(n, prefix, length):
    with fake_engine(FakeModel(context_length=1100), pages=300) as engine:
        state = engine.create_state(tokens=[97] * prefix)
        options = {"n": n, "max_tokens": length, "ignore_eos": True}
        assert most_pages(engine, lambda: genlib.generate_multi(state, **options)) <= pages_of(n, prefix, length)
        state.close()
        check_pages_back(engine)


@pytest.mark.parametrize("pages", [40, 60, 90])
def test_searches_side_by_side_have_the_pages_they_were_promised(pages: int) -> None:
    """What one no longer needs another takes; what it may still need, not."""
    with fake_engine(FakeModel(context_length=400), pages=pages, max_batch=12) as engine:
        shapes = [(2, 40), (3, 35), (2, 60), (4, 20), (1, 80)] * 3
        calls = []
        for beams, length in shapes:
            state = engine.create_state("x" * 160)
            try:
                calls.append(engine.submit(BeamSearch(state, num_beams=beams, max_length=length)))
            except genlib.OutOfCapacity:
                assert pages == 40
        assert calls
        assert all(call.result().beams for call in calls)

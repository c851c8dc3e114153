"""The engine over a model without weights: batching, commits, streams, limits, cancellation, pages."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine import BOS, EOS, FakeModel, check_pages_back, fake_engine

import genlib
from genlib import GenerateToken, Sampling
from genlib.jobs.multi import splitmix64

PROMPT = "the quick brown fox jumps over the lazy dog"


@pytest.fixture
def engine():
    with fake_engine() as engine:
        yield engine
        for state in engine.states():
            state.close()
        check_pages_back(engine)


def ids(engine: genlib.Engine, prompt: str = PROMPT, **options) -> tuple[int, ...]:
    with engine.create_state(prompt) as state:
        return genlib.generate_token(state, **options).token_ids


def test_one_call_of_40_is_40_calls_of_one(engine):
    whole = ids(engine, max_tokens=40, seed=5)
    state = engine.create_state(PROMPT)
    parts = [genlib.generate_token(state, max_tokens=1, seed=5).token_ids[0] for _ in range(40)]
    assert tuple(parts) == whole
    assert state.tokens == (BOS, *PROMPT.encode(), *whole)


@pytest.mark.parametrize("chunk", [1, 7, 512])
def test_chunks_and_company_change_nothing(chunk):
    with fake_engine() as alone:
        expected = [ids(alone, PROMPT[: 5 + i], max_tokens=10 + i, seed=i) for i in range(16)]
    with fake_engine(prefill_chunk=chunk, max_batch=16, pages=200) as engine:
        states = [engine.create_state(PROMPT[: 5 + i]) for i in range(16)]
        calls = [
            engine.submit(GenerateToken(s, max_tokens=10 + i, sampling=Sampling(seed=i))) for i, s in enumerate(states)
        ]
        assert [c.result().token_ids for c in calls] == expected


def test_dropped_pages_are_rebuilt(engine):
    state = engine.create_state(PROMPT)
    first = genlib.generate_token(state, max_tokens=20, seed=1).token_ids
    with engine.lock:
        engine.cache.drop_all()
    # Others use the pages in between, so that nothing of the state's is left to be found.
    for i in range(10):
        ids(engine, f"{i} " * 40, max_tokens=100, seed=2)
    second = genlib.generate_token(state, max_tokens=20, seed=1).token_ids
    assert first + second == ids(engine, max_tokens=40, seed=1)


def test_multi_begins_with_what_token_gives_and_leaves_the_state_alone(engine):
    state = engine.create_state(PROMPT)
    before = state.tokens
    four = genlib.generate_multi(state, n=4, max_tokens=12, seed=9).continuations
    sixteen = genlib.generate_multi(state, n=16, max_tokens=12, seed=9).continuations
    assert state.tokens == before
    assert [c.token_ids for c in four] == [c.token_ids for c in sixteen[:4]]
    assert len({c.token_ids for c in sixteen}) == 16
    assert four[0].token_ids == ids(engine, max_tokens=12, seed=9)


def test_kept_continuations_go_on_as_a_longer_multi_would(engine):
    state = engine.create_state(PROMPT)
    twenty = genlib.generate_multi(state, n=3, max_tokens=20, seed=4).continuations
    ten = genlib.generate_multi(state, n=3, max_tokens=10, seed=4, keep_states=True).continuations
    for i, (short, long) in enumerate(zip(ten, twenty, strict=True)):
        assert short.state is not None
        assert short.state.stream == (splitmix64(0, i) if i else 0)
        rest = genlib.generate_token(short.state, max_tokens=10, seed=4).token_ids
        assert short.token_ids + rest == long.token_ids


def test_multi_prefills_its_prompt_once():
    model = FakeModel()
    with fake_engine(model) as engine:
        state = engine.create_state(PROMPT)
        genlib.generate_multi(state, n=8, max_tokens=4, seed=0)
        num_tokens = state.num_tokens
    assert sum(n for n, _ in model.steps) == num_tokens - 1 + 8 * 4


def test_more_continuations_than_the_batch_run_in_waves():
    with fake_engine(max_batch=4) as few, fake_engine(max_batch=32) as many:
        a = genlib.generate_multi(few.create_state(PROMPT), n=11, max_tokens=5, seed=3)
        b = genlib.generate_multi(many.create_state(PROMPT), n=11, max_tokens=5, seed=3)
    assert [c.token_ids for c in a.continuations] == [c.token_ids for c in b.continuations]


def test_a_fork_shares_pages_and_goes_its_own_way(engine):
    state = engine.create_state(PROMPT)
    genlib.generate_token(state, max_tokens=3, seed=1)
    used = engine.stats().pages_free
    fork = state.fork()
    assert engine.stats().pages_free == used
    a = genlib.generate_token(state, max_tokens=30, seed=1).token_ids
    b = genlib.generate_token(fork, max_tokens=30, seed=1).token_ids
    c = genlib.generate_token(state.fork(), max_tokens=5, seed=2).token_ids
    assert a == b
    assert c == genlib.generate_token(fork, max_tokens=5, seed=2).token_ids


def test_append_and_truncate(engine):
    state = engine.create_state("abc")
    genlib.generate_token(state, max_tokens=4, seed=1)
    state.append(" more")
    assert state.text.startswith("abc")
    assert state.text.endswith(" more")
    after = genlib.generate_token(state, max_tokens=6, seed=1).token_ids
    state.truncate(state.num_tokens - 6)
    assert genlib.generate_token(state, max_tokens=6, seed=1).token_ids == after
    state.truncate(1)
    assert state.tokens == (BOS,)


def test_score_is_what_drawing_reports(engine):
    state = engine.create_state(PROMPT)
    score = state.score("some text " * 12)
    assert len(score.logprobs) == len(score.token_ids) == 120
    assert score.total == pytest.approx(sum(score.logprobs))
    assert state.text == PROMPT


class TestStreams:
    def test_pieces_add_up_to_the_result(self, engine):
        state = engine.create_state(PROMPT)
        pieces = list(genlib.generate_token(state, max_tokens=9, seed=1, stream=True))
        assert [p.token_ids[0] for p in pieces] == list(ids(engine, max_tokens=9, seed=1))
        assert state.text == PROMPT + "".join(p.text for p in pieces)

    def test_a_consumer_that_breaks_commits_what_it_took(self, engine):
        state = engine.create_state(PROMPT)
        taken = []
        for piece in genlib.generate_token(state, max_tokens=60, seed=1, stream=True):
            taken.append(piece.text)
            if len(taken) == 3:
                break
        assert state.text == PROMPT + "".join(taken)
        rest = genlib.generate_token(state, max_tokens=5, seed=1).token_ids
        assert rest == ids(engine, max_tokens=8, seed=1)[3:]

    def test_a_stream_nobody_took_commits_nothing(self, engine):
        state = engine.create_state(PROMPT)
        stream = engine.submit(GenerateToken(state, max_tokens=5), stream=True)
        while not stream.done:
            time.sleep(0.001)
        with pytest.raises(genlib.StateBusy):
            state.append("x")
        stream.cancel()
        wait_until_idle(engine)
        assert state.text == PROMPT
        state.append("x")

    def test_coroutines(self, engine):
        async def run() -> list[str]:
            state = engine.create_state(PROMPT)
            pieces = [p.text async for p in genlib.aio.generate_token(state, max_tokens=9, seed=1, stream=True)]
            results = await asyncio.gather(
                *(genlib.aio.generate_multi(state, n=2, max_tokens=3, seed=i) for i in range(5))
            )
            assert len(results) == 5
            assert (await genlib.aio.beam_search(state, num_beams=2, max_length=3)).beams
            return pieces

        assert "".join(asyncio.run(run())) == bytes(ids(engine, max_tokens=9, seed=1)).decode()


def wait_until_idle(engine: genlib.Engine) -> None:
    while not (engine.scheduler.idle and not engine.loop._cancelled):
        time.sleep(0.001)


class TestErrors:
    def test_a_second_writer_is_refused_and_readers_are_not(self):
        gate = threading.Semaphore(0)
        with fake_engine(FakeModel(gate=gate)) as engine:
            state = engine.create_state(PROMPT)
            call = engine.submit(GenerateToken(state, max_tokens=3, sampling=Sampling(seed=1)))
            for write in (lambda: genlib.generate_token(state), lambda: state.append("x"), state.close):
                with pytest.raises(genlib.StateBusy):
                    write()
            with pytest.raises(genlib.StateBusy):
                state.truncate(1)
            assert state.text == state.fork().text == PROMPT
            gate.release(1000)
            assert len(call.result().token_ids) == 3
            assert state.num_tokens == 1 + len(PROMPT) + 3

    def test_cancel_gives_everything_back(self):
        gate = threading.Semaphore(0)
        with fake_engine(FakeModel(gate=gate)) as engine:
            state = engine.create_state(PROMPT)
            calls = [
                engine.submit(GenerateToken(state, max_tokens=3)),
                engine.submit(genlib.GenerateMulti(state, max_tokens=9, n=4)),
                engine.submit(genlib.BeamSearch(state, num_beams=3, keep_states=True)),
                engine.score(state, "text"),
            ]
            gate.release(3)
            for call in calls:
                call.cancel()
            gate.release(1000)
            for call in calls:
                with pytest.raises(genlib.CallCancelled):
                    call.result()
            assert state.text == PROMPT
            check_pages_back(engine)

    def test_a_broken_step_fails_its_calls_alone(self):
        model = FakeModel()
        with fake_engine(model) as engine:
            state = engine.create_state(PROMPT)
            model.broken = RuntimeError("no luck")
            with pytest.raises(genlib.ModelError, match="no luck"):
                genlib.generate_token(state)
            model.broken = None
            assert state.text == PROMPT
            genlib.generate_token(state)
            state.close()
            check_pages_back(engine)

    def test_a_bad_row_fails_its_call(self):
        model = FakeModel()
        model.bad_row = 0
        with fake_engine(model) as engine:
            state = engine.create_state(PROMPT)
            with pytest.raises(genlib.ModelError, match="no finite logit"):
                genlib.generate_token(state)
            assert state.text == PROMPT

    def test_closing_the_engine_fails_what_runs(self):
        gate = threading.Semaphore(0)
        model = FakeModel(gate=gate)
        engine = fake_engine(model)
        state = engine.create_state(PROMPT)
        call = engine.submit(GenerateToken(state))
        threading.Timer(0.05, gate.release, (1000,)).start()
        engine.close()
        engine.close()
        with pytest.raises(genlib.EngineClosed):
            call.result()
        with pytest.raises(genlib.EngineClosed):
            genlib.generate_token(state)
        assert model.closed

    def test_the_queue_is_bounded(self):
        gate = threading.Semaphore(0)
        with fake_engine(FakeModel(gate=gate), max_batch=1, max_queue=2) as engine:
            states = [engine.create_state(PROMPT) for _ in range(5)]
            calls = [engine.submit(GenerateToken(states[0]))]
            while engine.stats().running == 0:
                time.sleep(0.001)
            calls += [engine.submit(GenerateToken(s)) for s in states[1:3]]
            with pytest.raises(genlib.QueueFull):
                engine.submit(GenerateToken(states[3]))
            states[3].append("still free")
            gate.release(1000)
            for call in calls:
                call.result()

    def test_limits_are_checked_before_a_call_starts(self, engine):
        state = engine.create_state(tokens=[65] * 250)
        with pytest.raises(genlib.ContextLengthExceeded, match="`max_tokens` must be at most 6"):
            genlib.generate_token(state, max_tokens=7)
        with pytest.raises(genlib.ContextLengthExceeded):
            state.append("1234567")
        with pytest.raises(genlib.OutOfCapacity, match="pages"):
            genlib.generate_multi(state, n=60, max_tokens=6)
        with pytest.raises(genlib.InvalidRequest, match="num_beams"):
            genlib.beam_search(state, num_beams=65, max_length=2)
        assert state.num_tokens == 250
        assert genlib.generate_token(state, max_tokens=6).token_ids
        with pytest.raises(genlib.ContextLengthExceeded):
            engine.create_state(tokens=[65] * 257)

    def test_an_empty_prompt_needs_a_bos(self, engine):
        assert engine.create_state("").tokens == (BOS,)
        with fake_engine(prefix=()) as bare, pytest.raises(genlib.InvalidRequest, match="BOS"):
            bare.create_state("")

    def test_a_closed_state_is_gone(self, engine):
        state = engine.create_state(PROMPT)
        state.close()
        state.close()
        with pytest.raises(genlib.StateNotFound):
            engine.state(state.id)
        with pytest.raises(genlib.StateNotFound):
            genlib.generate_token(state)


class TestEnds:
    def test_end_of_text_is_in_the_state_and_not_shown(self):
        with fake_engine(FakeModel(eos_every=6)) as engine:
            state = engine.create_state(PROMPT)
            result = genlib.generate_token(state, max_tokens=200, seed=1)
            assert result.finished
            assert result.finish_reason == "end_of_text"
            assert EOS not in result.token_ids
            assert len(result.probabilities) == len(result.new_tokens) == len(result.token_ids)
            assert state.tokens[-1] == EOS
            assert state.finished
            again = genlib.generate_token(state)
            assert (again.token_ids, again.finish_reason) == ((), "end_of_text")
            assert all(c.finished for c in genlib.generate_multi(state, n=2, keep_states=True).continuations)
            assert genlib.beam_search(state, num_beams=2).finished == (True, True)
            state.append("go on")
            assert not state.finished

    def test_min_tokens_and_ignore_eos(self):
        with fake_engine(FakeModel(eos_every=2)) as engine:
            state = engine.create_state(PROMPT)
            assert len(genlib.generate_token(state, max_tokens=50, ignore_eos=True).token_ids) == 50
            fork = state.fork()
            result = genlib.generate_token(fork, max_tokens=50, min_tokens=20, seed=3)
            assert len(result.token_ids) >= 20
            assert result.finish_reason == "end_of_text"

    def test_stop_sequences_across_tokens_and_calls(self, engine):
        whole = bytes(ids(engine, max_tokens=30, seed=2)).decode()
        stop = whole[10:14]
        first = whole.index(stop) + 4
        state = engine.create_state(PROMPT, stop_sequences=[stop])
        result = genlib.generate_token(state, max_tokens=30, seed=2)
        assert (result.text, result.finish_reason, result.stop_sequence) == (whole[:first], "stop_sequence", stop)
        assert not state.finished
        split = engine.create_state(PROMPT, stop_sequences=[stop])
        genlib.generate_token(split, max_tokens=first - 2, seed=2)
        result = genlib.generate_token(split, max_tokens=30, seed=2)
        assert result.text == whole[first - 2 : first]
        assert genlib.generate_token(split, max_tokens=5, seed=2, stop_sequences=[]).text == whole[first : first + 5]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_mix_of_calls_leaves_pages_whole(data):
    """Random calls from several threads' worth of states, some cancelled; each result as if it ran alone."""
    pages = data.draw(st.integers(24, 60))
    with fake_engine(FakeModel(eos_every=40), pages=pages, max_batch=6, prefill_chunk=9) as engine:
        states = [engine.create_state(PROMPT[: data.draw(st.integers(1, 40))]) for _ in range(3)]
        for _ in range(data.draw(st.integers(1, 12))):
            state = data.draw(st.sampled_from(states))
            kind = data.draw(st.sampled_from(["token", "multi", "beam", "score", "fork", "truncate", "stream"]))
            try:
                act(engine, states, state, kind, data)
            except (genlib.StateBusy, genlib.OutOfCapacity, genlib.ContextLengthExceeded):
                continue
            with engine.lock:
                engine.cache.table.check_integrity()
        wait_until_idle(engine)
        for state in engine.states():
            while True:
                try:
                    state.close()
                    break
                except genlib.StateBusy:
                    time.sleep(0.001)
        check_pages_back(engine)


def act(engine, states, state, kind, data) -> None:
    n = data.draw(st.integers(1, 12))
    if kind == "token":
        call = engine.submit(GenerateToken(state, max_tokens=n, sampling=Sampling(seed=n)))
        if data.draw(st.booleans()):
            call.cancel()
        else:
            before = state.tokens[: -n or None]
            call.result()
            assert state.tokens[: len(before)] == before
    elif kind == "multi":
        genlib.generate_multi(state, n=n, max_tokens=5, seed=1, keep_states=n % 2 == 0)
    elif kind == "beam":
        genlib.beam_search(state, num_beams=min(n, 4), max_length=5, keep_states=n % 2 == 0)
    elif kind == "score":
        assert len(state.score("x" * n).logprobs) == n
    elif kind == "fork":
        states.append(state.fork())
    elif kind == "truncate":
        state.truncate(max(state.num_tokens - n, 1))
    else:
        for i, _ in enumerate(genlib.generate_token(state, max_tokens=20, seed=n, stream=True)):
            if i == n:
                break

"""The scheduler alone: plain Python, no engine."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.jobs import FakeJob, FakeWaves

from genlib.engine.scheduler import Scheduler
from genlib.errors import QueueFull
from genlib.jobs.sequence import Wants


def end_one(scheduler, job):
    """The first running sequence of a job of many ends."""
    gone = next(s for s in scheduler.running if s.job is job)
    scheduler.replace(gone, [] if scheduler.should_yield(job) else job.grow())
    if not job.more and not any(s.job is job for s in scheduler.running):
        scheduler.end(job)
    scheduler.admit()


def rows_of(scheduler, job):
    rows = sum(s.job is job for s in scheduler.running)
    assert rows == job.width
    return rows


def make(jobs, max_batch=4, chunk=8, max_queue=100):
    scheduler = Scheduler(max_batch, chunk, max_queue)
    for job in jobs:
        scheduler.submit(job)
    scheduler.admit()
    return scheduler


def test_decoding_sequences_all_run_before_chunks_of_prompts():
    prompt, *drawing = jobs = [FakeJob(pending=20), FakeJob(), FakeJob(), FakeJob()]
    work = make(jobs).plan()
    assert [(s.job, n) for s, n in work] == [*((j, 1) for j in drawing), (prompt, 5)]


def test_a_chunk_is_shared_by_prompts_in_their_order():
    first, second, third = jobs = [FakeJob(pending=5), FakeJob(pending=5), FakeJob(pending=5)]
    assert [(s.job, n) for s, n in make(jobs).plan()] == [(first, 5), (second, 3)]
    del third


def test_a_job_that_does_not_fit_waits_and_blocks_those_behind_it():
    wide, narrow = FakeJob(width=4), FakeJob()
    scheduler = make([FakeJob(), wide, narrow])
    assert list(scheduler.waiting) == [wide, narrow]
    scheduler.end(scheduler.running[0].job)
    scheduler.admit()
    assert [s.job for s in scheduler.running] == [wide] * 4
    assert list(scheduler.waiting) == [narrow]


def test_a_job_without_pages_is_tried_again():
    job = FakeJob(has_pages=False)
    scheduler = make([job])
    assert scheduler.plan() == []
    job.has_pages = True
    scheduler.admit()
    assert len(scheduler.plan()) == 1


def test_a_full_queue_refuses():
    scheduler = make([FakeJob(width=4)], max_queue=1)
    scheduler.submit(FakeJob())
    with pytest.raises(QueueFull, match="queue is full: 1 calls are waiting"):
        scheduler.check_room("")


def test_a_full_queue_has_room_for_one_of_each_other_caller():
    scheduler = make([FakeJob(width=4)], max_queue=3)
    scheduler.promised = ["a"]
    for caller in ("a", "a"):
        scheduler.check_room(caller)
        scheduler.submit(FakeJob(caller=caller))
    for caller in ("b", "c", "d"):
        with pytest.raises(QueueFull):
            scheduler.check_room("a")
        scheduler.check_room(caller)
        scheduler.submit(FakeJob(caller=caller))
        with pytest.raises(QueueFull):
            scheduler.check_room(caller)
    with pytest.raises(QueueFull, match="queue is full: 5 calls are waiting"):
        scheduler.check_room("e")


def test_scoring_uses_only_spare_rows():
    scheduler = make([FakeJob(), FakeJob(pending=50, wants=Wants.SCORES)], max_batch=4, chunk=100)
    scheduler.running[1].logits_from = 10
    (_, score) = scheduler.plan()
    assert score[1] == 10 + 1 + 2


def test_a_call_of_many_leaves_rows_to_those_that_wait_and_takes_them_again():
    many, one, two = FakeWaves(100), FakeJob(), FakeJob()
    scheduler = make([many], max_batch=8)
    assert rows_of(scheduler, many) == 8
    scheduler.submit(one)
    scheduler.submit(two)
    scheduler.admit()
    assert list(scheduler.waiting) == [one, two]
    end_one(scheduler, many)
    end_one(scheduler, many)
    assert not scheduler.waiting
    assert rows_of(scheduler, many) == 6
    scheduler.end(one)
    scheduler.admit()
    assert rows_of(scheduler, many) == 7


def test_two_calls_of_many_share_the_rows():
    first, second = FakeWaves(100), FakeWaves(100)
    scheduler = make([first], max_batch=8)
    scheduler.submit(second)
    for _ in range(20):
        end_one(scheduler, first)
    assert rows_of(scheduler, first) + rows_of(scheduler, second) == 8
    assert rows_of(scheduler, second) >= 1
    scheduler.end(first)
    scheduler.admit()
    assert rows_of(scheduler, second) == 8


def test_no_rows_are_left_to_a_search_that_cannot_have_them():
    """It needs them all; the call of many keeps one until it ends."""
    many, search = FakeWaves(20), FakeJob(width=8)
    scheduler = make([many], max_batch=8)
    scheduler.submit(search)
    for _ in range(12):
        end_one(scheduler, many)
        assert rows_of(scheduler, many) == 8
    while many.width:
        end_one(scheduler, many)
    assert rows_of(scheduler, search) == 8


def test_a_call_of_many_that_has_no_row_left_comes_before_all_that_wait():
    many, one = FakeWaves(5), FakeJob()
    scheduler = make([many], max_batch=1)
    many.has_pages = False
    scheduler.submit(one)
    end_one(scheduler, many)
    assert rows_of(scheduler, many) == 0
    assert list(scheduler.waiting) == [one]
    assert not scheduler.idle
    many.has_pages = True
    scheduler.admit()
    assert rows_of(scheduler, many) == 1


def test_retry_after_is_the_wait(monkeypatch):
    now = 100.0
    monkeypatch.setattr("genlib.engine.scheduler.time.monotonic", lambda: now)
    running = FakeJob(width=4)
    scheduler = make([running], max_queue=3)
    now += 1000  # idle, as far as the queue is concerned
    for _ in range(3):
        scheduler.submit(FakeJob(width=4))
    now += 5
    with pytest.raises(QueueFull, match="try again in 20 s") as caught:
        scheduler.check_room("")
    assert caught.value.retry_after == 20, "4 in the queue, of which the first has waited 5 s"
    for _ in range(60):
        scheduler.end(scheduler.running[0].job)
        scheduler.admit()
        scheduler.submit(FakeJob(width=4))
        now += 2
    with pytest.raises(QueueFull) as caught:
        scheduler.check_room("")
    assert 8 <= caught.value.retry_after <= 9, "one starts every 2 s"


@given(
    plan=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12), st.booleans()), max_size=30),
    ends=st.lists(st.integers(0, 10), max_size=200),
)
def test_rows_are_conserved_and_nobody_starves(plan, ends):
    scheduler, jobs = Scheduler(6, 6, 1000), []
    for i, (kind, size, _) in enumerate(plan):
        jobs.append(FakeWaves(size) if kind else FakeJob(width=min(size, 6)))
        scheduler.submit(jobs[-1])
        scheduler.admit()
        if scheduler.running and i < len(ends):
            job = scheduler.running[ends[i] % len(scheduler.running)].job
            end_one(scheduler, job) if isinstance(job, FakeWaves) else scheduler.end(job)
            scheduler.admit()
        assert sum(job.width for job in jobs if any(s.job is job for s in scheduler.running)) <= 6
        assert len(scheduler.running) <= 6
    for _ in range(1000):
        if scheduler.idle:
            break
        job = scheduler.running[0].job
        end_one(scheduler, job) if isinstance(job, FakeWaves) else scheduler.end(job)
        scheduler.admit()
    assert scheduler.idle
    assert scheduler.num_free == 6
    assert all(job.more == 0 for job in jobs)


@given(
    jobs=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 30), st.sampled_from(Wants)), max_size=12),
    chunk=st.integers(1, 20),
)
def test_every_sequence_gets_to_its_end_within_the_limits(jobs, chunk):
    scheduler = make([FakeJob(w, p, k) for w, p, k in jobs], max_batch=4, chunk=chunk)
    fed = dict.fromkeys(map(id, scheduler.running), 0)
    while not scheduler.idle:
        work = scheduler.plan()
        assert work
        assert sum(n for _, n in work) <= scheduler.chunk
        assert len({id(s) for s, _ in work}) == len(work) <= scheduler.max_batch
        order = [s.wants for s, _ in work]
        assert order == sorted(order, key=[Wants.TOKEN, Wants.SCORES, Wants.BEAMS, Wants.NOTHING].index)
        rows = 0
        for s, n in work:
            assert 1 <= n <= s.pending
            rows += n if s.wants is Wants.SCORES else int(n == s.pending)
            s.computed += n
            fed[id(s)] = fed.get(id(s), 0) + n
        assert rows <= scheduler.max_batch
        for s, _ in work:
            if all(not q.pending for q in s.job.sequences):
                scheduler.end(s.job)
        scheduler.admit()
    assert scheduler.num_jobs == 0


def test_it_needs_no_arrays():
    code = "import sys; sys.modules['numpy'] = None; import importlib.util as u; import types\n"
    code += "pkg = types.ModuleType('genlib'); pkg.__path__ = [sys.argv[1]]; sys.modules['genlib'] = pkg\n"
    code += "import genlib.engine.scheduler"
    import genlib

    subprocess.run([sys.executable, "-c", code, genlib.__path__[0]], check=True)

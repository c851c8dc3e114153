"""The scheduler alone: plain Python, no engine."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlib.engine.scheduler import Scheduler
from genlib.errors import QueueFull
from genlib.jobs.sequence import Sequence, Wants


class FakeJob:
    def __init__(self, width=1, pending=1, wants=Wants.TOKEN, *, has_pages=True):
        self.width, self.wants, self.pending, self.has_pages = width, wants, pending, has_pages
        self.cancelled = False
        self.sequences = []

    def start(self):
        if not self.has_pages:
            return None
        self.sequences = [Sequence(self, i, self.pending, 0, self.wants) for i in range(self.width)]
        return self.sequences


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
        scheduler.submit(FakeJob())


def test_scoring_uses_only_spare_rows():
    scheduler = make([FakeJob(), FakeJob(pending=50, wants=Wants.SCORES)], max_batch=4, chunk=100)
    scheduler.running[1].logits_from = 10
    (_, score) = scheduler.plan()
    assert score[1] == 10 + 1 + 2


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

"""An engine whose turns the test takes, one at a time: what happens between which steps can be chosen, and shrunk."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
from support.engine import EOS, FakeModel, check_pages_back, fake_engine

import genlib
from genlib.calls.call import Call
from genlib.engine.loop import Loop
from genlib.sampling.row import GREEDY


class PlainModel(FakeModel):
    """Greedy rows draw one token in every call, and beams end often: equal pages, pools that change."""

    def _row(self, r: int, context: bytes) -> None:
        super()._row(r, context)
        self._logits[r, EOS] += 5
        params, out = self.buffers.params, self.buffers.output
        if params.scale[r] == GREEDY.scale and r < self.buffers.plan.num_sampled[0]:
            out.token[r] = max(97, params.forced[r])
            out.probability[r] = (zlib.crc32(context) % 999 + 1) / 1000
            out.logprob[r] = np.log(out.probability[r])


@contextmanager
def by_hand(**limits: int) -> Iterator[genlib.Engine]:
    """An engine without a thread. In the end all of its pages must be free."""
    with patch.object(Loop, "start", lambda _: None):
        engine = fake_engine(PlainModel(context_length=400, eos_every=30), **limits)
    try:
        yield engine
        run_dry(engine)
        for state in engine.states():
            state.close()
        check_pages_back(engine)
    finally:
        engine.loop.end(genlib.EngineClosed("the test is over"))


def turn(engine: genlib.Engine) -> bool:
    """One turn, as the engine's thread would take it. False if there was nothing to do."""
    engine.calls.thread_id = threading.get_ident()
    try:
        stepped = engine.loop.turn() == 0
    finally:
        engine.calls.thread_id = None
    assert not engine.loop.closed, "the thread has ended"
    engine.cache.table.check_integrity()
    return stepped


def run_dry(engine: genlib.Engine) -> None:
    """Turns, until nothing is left to do. Then no call waits or runs: nobody else could wake it."""
    while turn(engine):
        pass
    assert engine.scheduler.idle, "a call waits although nothing else runs"


def finish(engine: genlib.Engine, call: Call):
    """What a call answers."""
    while not call.done and turn(engine):
        pass
    assert call.done, "a call waits although nothing else runs"
    return call.result()

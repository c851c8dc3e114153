"""Random calls of all kinds at once, over a model without weights."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine import PROMPT, FakeModel, check_pages_back, fake_engine, wait_until_idle

import genlib
from genlib import GenerateToken, Sampling


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_mix_of_calls_leaves_pages_whole(data):
    """Random calls from several threads' worth of states, some cancelled; each result as if it ran alone."""
    pages = data.draw(st.integers(24, 60))
    with fake_engine(FakeModel(eos_every=40), pages=pages, max_batch=6, prefill_chunk=9) as engine:
        states = [engine.create_state(PROMPT[: data.draw(st.integers(1, 40))]) for _ in range(3)]
        for _ in range(data.draw(st.integers(1, 12))):
            state = data.draw(st.sampled_from(states))
            kind = data.draw(
                st.sampled_from(["token", "tokens", "multi", "beam", "score", "fork", "truncate", "stream"])
            )
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
    elif kind == "tokens":
        before = [one.num_tokens for one in states]
        results = genlib.generate_tokens(states, max_tokens=n, seed=n)
        assert all(
            one.num_tokens - had >= len(r.token_ids) for one, had, r in zip(states, before, results, strict=True)
        )
    elif kind == "multi":
        genlib.generate_multi(state, n=n, max_tokens=5, seed=1, keep_states=n % 2 == 0)
    elif kind == "beam":
        genlib.beam_search(state, num_beams=min(n, 4), max_length=5, keep_states=n % 2 == 0)
    elif kind == "score":
        assert [len(one.logprobs) for one in state.score(["x" * (1 + i) for i in range(n)])] == [*range(1, n + 1)]
    elif kind == "fork":
        states.append(state.fork())
    elif kind == "truncate":
        state.truncate(max(state.num_tokens - n, 1))
    else:
        for i, _ in enumerate(genlib.generate_token(state, max_tokens=20, seed=n, stream=True)):
            if i == n:
                break

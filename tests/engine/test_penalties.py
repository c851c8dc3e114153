"""Bias, penalties and allowed tokens: every draw is the specification's, however the calls are cut and shared."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest
from support.engine import FakeModel, fake_engine
from support.model import all_logits

import genlib
from genlib import GenerateToken, Sampling
from genlib.ops import reference_sampling as reference
from genlib.ops import rows

PROMPT = "Once upon a time there was a fox. The fox was red. The"
EOS = 1
EVERYTHING: dict[str, Any] = {
    "temperature": 0.9,
    "top_p": 0.97,
    "top_k": 900,
    "min_p": 1e-4,
    "seed": 11,
    "repetition_penalty": 1.3,
    "presence_penalty": 0.7,
    "frequency_penalty": 0.4,
    "logit_bias": {300: 3, 17: -100, 261: 1.5, 4000: 2.25},
    "allowed_tokens": range(5, 3500),
    "top_logprobs": 7,
    "probability": "sampling",  # it depends on every token's edits, not only on those of the token drawn
}


def drawn(results: list[genlib.TokenResult]) -> tuple[list[Any], ...]:
    fields = ("token_ids", "probabilities", "logprobs", "top_logprobs")
    return tuple(list(itertools.chain(*(getattr(r, field) for r in results))) for field in fields)


def expected(tokens: tuple[int, ...], at: int, generated: set[int], sampling: dict[str, Any]) -> reference.Outcome:
    """What the specification draws at a position, from the model's own logits and a count by hand."""
    before = tokens[:at]
    times = Counter(token for i, token in enumerate(before) if i in generated)
    bias = sampling.get("logit_bias", {})
    edits = tuple(
        (token, np.float32(bias.get(token, 0)), times.get(token, 0) if token in before else -1)
        for token in sorted(set(bias) | set(before))
    )
    logits = all_logits(None, list(before))[-1]
    allowed = None
    if "allowed_tokens" in sampling:
        allowed = np.zeros(len(logits), bool)
        allowed[list(sampling["allowed_tokens"])] = True
    row = reference.Row(
        scale=rows.row_scale(sampling["temperature"]),
        top_k=sampling.get("top_k", 0),
        top_p=int(rows.row_top_p(sampling.get("top_p", 1))),
        min_p=rows.row_min_p(sampling.get("min_p", 0)),
        seed=sampling["seed"],
        stream=0,
        position=at,
        forced=-1,
        allowed=allowed,
        top_n=sampling.get("top_logprobs", 0),
        repetition=np.float32(sampling.get("repetition_penalty", 1)),
        presence=np.float32(sampling.get("presence_penalty", 0)),
        frequency=np.float32(sampling.get("frequency_penalty", 0)),
        edits=edits,
    )
    return reference.sample_row(logits, row)


@pytest.mark.parametrize(
    "sampling",
    [
        EVERYTHING,
        {"temperature": 0, "seed": 0, "repetition_penalty": 1.8},
        {"temperature": 0, "seed": 0, "repetition_penalty": 0.8},
        {"temperature": 1.5, "seed": 3, "frequency_penalty": -1.5},
        {"temperature": 0.7, "seed": 4, "presence_penalty": 100},
        {"temperature": 1, "seed": 5, "logit_bias": dict.fromkeys(range(0, 4096, 7), -5)},
        {"temperature": 1, "seed": 6, "allowed_tokens": [EOS, 262, 300, 301, 302]},
    ],
    ids=["everything", "repeat less", "repeat more", "frequency", "presence", "bias", "allowed"],
)
def test_every_draw_is_the_specifications(engine, sampling):
    """Over generated text, given text, and text that was cut off and drawn again."""
    state = engine.create_state(PROMPT)
    generated: set[int] = set()

    def go_on(n: int) -> None:
        start = state.num_tokens
        result = genlib.generate_token(state, max_tokens=n, **{**sampling, "probability": "sampling"})
        generated.difference_update(range(start, start + n))
        for i, token in enumerate(state.tokens[start:]):
            spec = expected(state.tokens, start + i, generated, sampling)
            assert token == spec.token
            if token != EOS:
                assert result.probabilities[i] == spec.sampling_probability
                if "top_logprobs" in sampling:
                    assert [(t.token_id, t.logprob) for t in result.top_logprobs[i]] == [
                        (token, logprob) for token, _, logprob in spec.top
                    ]
            generated.add(start + i)

    go_on(6)
    state.append(" and the fox")
    go_on(4)
    state.truncate(state.num_tokens - 6)
    generated.difference_update(range(state.num_tokens, 1000))
    go_on(5)


@pytest.fixture(scope="module")
def alone():
    with genlib.Engine(threads=1) as engine:
        return drawn([genlib.generate_token(engine.create_state(PROMPT), max_tokens=40, **EVERYTHING)])


def test_forty_calls_of_one_token(engine, alone):
    state = engine.create_state(PROMPT)
    assert drawn([genlib.generate_token(state, max_tokens=1, **EVERYTHING) for _ in range(40)]) == alone


def other(engine: genlib.Engine, i: int) -> genlib.Call[genlib.TokenResult]:
    """The i-th of the calls that come and go: with and without penalties, bias, and tokens allowed."""
    sampling = Sampling(
        seed=i,
        presence_penalty=0.1 * i if i % 2 else 0,
        repetition_penalty=1.3 if i % 5 == 1 else 1,
        logit_bias={300 + i: 1.0} if i % 3 == 1 else None,
        allowed_tokens=range(100 * i) if i % 4 == 3 else None,
    )
    state = engine.create_state(PROMPT[i:])
    return engine.submit(GenerateToken(state, 3 + 5 * i, min(i, 3), sampling, probability="sampling"))


@pytest.mark.parametrize(("chunk", "threads"), [(7, 2), (512, 1)])
def test_among_others_that_come_and_go(alone, chunk, threads):
    with genlib.Engine(threads=threads, prefill_chunk=chunk, max_batch=8) as engine:
        others = [other(engine, i) for i in range(14)]
        state = engine.create_state(PROMPT)
        found = [genlib.generate_token(state, max_tokens=n, **EVERYTHING) for n in (3, 30, 7)]
        assert drawn(found) == alone
        together = [drawn([call.result()]) for call in others]
        assert together == [drawn([other(engine, i).result()]) for i in range(14)]


def test_continuations_and_forks_count_their_own(engine, alone):
    state = engine.create_state(PROMPT)
    many = genlib.generate_multi(state, n=5, max_tokens=40, **EVERYTHING).continuations
    assert drawn(many[:1]) == alone
    with genlib.Engine(threads=1, max_batch=2) as narrow:
        waves = genlib.generate_multi(narrow.create_state(PROMPT), n=5, max_tokens=40, **EVERYTHING).continuations
    assert [drawn([c]) for c in waves] == [drawn([c]) for c in many]
    short = genlib.generate_multi(state, n=5, max_tokens=15, keep_states=True, **EVERYTHING).continuations
    for kept, whole in zip(short, many, strict=True):
        assert kept.state is not None
        rest = genlib.generate_token(kept.state.fork(), max_tokens=25, **EVERYTHING)
        assert drawn([kept, rest]) == drawn([whole])


def test_a_stream_that_is_left_counts_what_was_taken(engine, alone):
    state = engine.create_state(PROMPT)
    pieces = []
    for piece in genlib.generate_token(state, max_tokens=40, stream=True, **EVERYTHING):
        pieces.append(piece)
        if len(pieces) == 9:
            break
    rest = genlib.generate_token(state, max_tokens=31, **EVERYTHING)
    assert drawn([*pieces, rest]) == alone


def test_min_tokens_and_allowed_tokens_forbid_together(engine):
    options: dict[str, Any] = {"allowed_tokens": [EOS, 300], "logit_bias": {EOS: 100}, "seed": 1}
    state = engine.create_state(PROMPT)
    result = genlib.generate_multi(state, max_tokens=9, min_tokens=4, **options).continuations[0]
    assert (result.token_ids, result.finish_reason) == ((300,) * 4, "end_of_text")
    result = genlib.generate_multi(state, max_tokens=9, ignore_eos=True, **options).continuations[0]
    assert result.token_ids == (300,) * 9
    for ban in ({"ignore_eos": True}, {"min_tokens": 1}):
        with pytest.raises(genlib.InvalidRequest, match="other than end of text"):
            genlib.generate_token(state, allowed_tokens=[EOS], **ban)
    assert state.text == PROMPT
    assert genlib.generate_token(state, allowed_tokens=[EOS]).finish_reason == "end_of_text"


def test_presence_by_hand(engine):
    """Greedy: the first of the model's own order whose logprob, less the penalty if it was drawn before, leads."""
    state = engine.create_state("The fox")
    seen: set[int] = set()
    for _ in range(25):
        result = genlib.generate_token(state, max_tokens=1, temperature=0, presence_penalty=2.5, top_logprobs=64)
        best = max(result.top_logprobs[0], key=lambda top: top.logprob - 2.5 * (top.token_id in seen))
        assert result.token_ids == (best.token_id,)
        seen.add(best.token_id)
    assert len(seen) > 12


def test_bias_bans_and_forces(engine):
    state = engine.create_state(PROMPT)
    plain = genlib.generate_multi(state, max_tokens=1, temperature=0).continuations[0].token_ids[0]
    ban = genlib.generate_multi(state, n=50, max_tokens=1, seed=1, logit_bias={plain: -100})
    assert plain not in {c.token_ids[0] for c in ban.continuations}
    forced = genlib.generate_multi(state, n=50, max_tokens=3, seed=1, logit_bias={1234: 100})
    assert {c.token_ids for c in forced.continuations} == {(1234,) * 3}


def test_probabilities_are_the_models_own_or_those_drawn_from(engine):
    state = engine.create_state(PROMPT)
    options: dict[str, Any] = {"max_tokens": 4, "allowed_tokens": [300], "top_logprobs": 1}
    model = genlib.generate_multi(state, **options).continuations[0]
    assert max(model.probabilities) < 0.5
    assert all(top[0].token_id != 300 for top in model.top_logprobs)
    assert genlib.generate_multi(state, probability="sampling", **options).continuations[0].probabilities == (1.0,) * 4


def test_slots_are_given_back():
    """Ended, cancelled and abandoned calls leave their slots to others: there are no more of them than rows."""
    with fake_engine(FakeModel(), max_batch=2, pages=200) as engine:
        options: dict[str, Any] = {"presence_penalty": 1.0, "allowed_tokens": range(97, 123), "max_tokens": 20}
        kept = []
        for i in range(12):
            state = engine.create_state(f"{i} fox")
            stream = engine.submit(GenerateToken(state, 20, sampling=Sampling(presence_penalty=1)), stream=True)
            kept.append(stream)
            if i % 3 == 0:
                stream.cancel()
            genlib.generate_multi(state, n=5, **options)
        while engine.stats().running:
            time.sleep(0.001)
        assert len(genlib.generate_multi(engine.create_state("a"), n=2, **options).continuations) == 2


def test_what_is_off_changes_nothing(engine):
    state = engine.create_state(PROMPT)
    off = {"repetition_penalty": 1, "presence_penalty": 0, "frequency_penalty": 0, "logit_bias": {}, "top_logprobs": 0}
    plain = genlib.generate_multi(state, max_tokens=20, seed=1)
    assert genlib.generate_multi(state, max_tokens=20, seed=1, **off, allowed_tokens=range(4096)) == plain

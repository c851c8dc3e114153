"""RowEdits that are counted token by token are those that a rebuild from the record gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genlib.sampling.edits import RowEdits, first_edits
from genlib.sampling.params import Sampling
from genlib.states.record import Generated, Record, Segment

TOKENS = st.lists(st.integers(0, 40), max_size=25)
SAMPLINGS = st.builds(
    Sampling,
    repetition_penalty=st.sampled_from([1.0, 1.3]),
    presence_penalty=st.sampled_from([0.0, 0.5]),
    logit_bias=st.none() | st.dictionaries(st.integers(0, 40), st.floats(-100, 100, width=32), max_size=5),
).filter(lambda sampling: sampling.penalises)


def record_of(prompt: list[int], parts: list[tuple[bool, list[int]]]) -> Record:
    record = Record(prompt.copy(), [Segment(0, False)])
    for generated, tokens in parts:
        if generated:
            record.generate(Generated(tokens, finished=False, match_end=None), len(record.tokens))
        else:
            record.append(tokens)
    return record


@given(SAMPLINGS, TOKENS, st.lists(st.tuples(st.booleans(), TOKENS), max_size=4), TOKENS)
def test_counting_is_rebuilding(sampling, prompt, parts, drawn):
    record = record_of(prompt, parts)
    first = first_edits(sampling, record)
    assert first is not None
    region = np.full((3, 70), -7, np.int32)
    edits = RowEdits(first, region)
    for token in drawn:
        edits.count(np.int32(token))
    record.generate(Generated(drawn, finished=False, match_end=None), len(record.tokens))
    whole = first_edits(sampling, record)
    assert whole is not None
    assert region[:, : edits.size].tolist() == whole.tolist()
    assert (region[:, max(edits.size, first.shape[1]) :] == -7).all()


@given(TOKENS, st.lists(st.tuples(st.booleans(), TOKENS), max_size=4), st.integers(1, 30))
def test_entries_say_what_the_record_holds(prompt, parts, kept):
    record = record_of(prompt, parts)
    kinds = [False] * len(prompt) + [generated for generated, tokens in parts for _ in tokens]
    if record.tokens:
        kept = min(kept, len(record.tokens))
        record.truncate(kept)
        kinds = kinds[:kept]
    edits = first_edits(Sampling(repetition_penalty=2, logit_bias={3: 0.5, 99: -2}), record)
    assert edits is not None
    pairs = list(zip(record.tokens, kinds, strict=True))
    wanted = []
    for token in sorted({*record.tokens, 3, 99}):
        seen = pairs.count((token, True)) if token in record.tokens else -1
        wanted.append((token, {3: 0.5, 99: -2}.get(token, 0), seen))
    assert list(zip(edits[0], edits[1].view(np.float32), edits[2], strict=True)) == wanted


def test_nothing_is_kept_that_nothing_asks_for():
    record = record_of([1, 2], [(True, [3, 3])])
    assert first_edits(Sampling(), record) is None
    only_generated = first_edits(Sampling(frequency_penalty=1), record)
    assert only_generated is not None
    assert only_generated[[0, 2]].tolist() == [[3], [2]]

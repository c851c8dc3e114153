"""`genlib.kernels.beam_step`: searches on torch tensors, what they find, and what is refused."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from genlib.kernels import (
    Search,
    Searches,
    beam_step,
    hypotheses,
    new_beam_workspace,
    new_searches,
    warm_up_beams,
)
from genlib.kernels.beam import device as beam_device
from support.beam import assert_same
from support.kernels import IS_INTERPRETED

from genlib.errors import BackendError, InvalidRequest
from genlib.ops import searches as contract
from genlib.ops.reference import ReferenceOps

V = 12
LETTERS = [bytes([97 + v % 4]) * (1 + v % 2) for v in range(V)]
KINDS = [
    Search(num_beams=3, max_length=6, early_stopping=True),
    Search(num_beams=1, max_length=4),
    Search(num_beams=5, max_length=7, early_stopping="never", length_penalty=2.0, stop_sequences=(b"ab", b"dd")),
    Search(num_beams=2, max_length=5, length_penalty=0.0, stop_sequences=(b"cb",)),
]


def model(seed: int = 0) -> torch.Tensor:
    """Logits [V, V] by the last token."""
    return torch.randn(V, V, generator=torch.Generator().manual_seed(seed)) * 2


def begin(searches: list[Search] | None = None) -> Searches:
    return new_searches(searches or KINDS, vocabulary=V, eos_ids=[4, 4], token_bytes=LETTERS)


def arrays_of(searches: Searches) -> contract.SearchBuffers:
    names = [field.name for field in dataclasses.fields(contract.SearchBuffers)]
    return contract.SearchBuffers(**{name: getattr(searches, name).numpy().copy() for name in names})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_cpu_steps_as_the_reference_does(dtype: torch.dtype) -> None:
    searches, expected, table = begin(), None, model(1).to(dtype)
    wide = torch.zeros(searches.num_rows, V + 5, dtype=dtype)
    for _ in range(7):
        before = arrays_of(searches)
        logits = wide[:, 2 : V + 2].copy_(table[searches.token])
        beam_step(logits, searches)
        expected = dataclasses.replace(before, live=np.flatnonzero(before.done == 0).astype(np.int32))
        expected.num_live[0] = len(expected.live)
        expected = dataclasses.replace(expected, first_row=before.lane[expected.live])
        bits = logits.view(torch.int16).numpy().view(np.uint16) if dtype is torch.bfloat16 else logits.numpy()
        ReferenceOps().beam_step(bits, expected)
        same = {name: getattr(before, name) for name in ("num_live", "live", "first_row")}
        same["num_live"][0] = len(before.live)
        assert_same(arrays_of(searches), dataclasses.replace(expected, **same))
    assert searches.done.all()


def search_all(searches: Searches, table: torch.Tensor, step: Any = beam_step) -> list[Any]:
    logits = table[[0] * searches.num_rows]
    while not searches.done.all():
        step(logits, searches)
        logits = table[searches.token]
    return hypotheses(searches)


def test_hypotheses_have_the_scores_of_their_tokens() -> None:
    table = model(2)
    logprobs = torch.log_softmax(table.double(), 1).tolist()
    for search, found in zip(KINDS, search_all(begin(), table), strict=True):
        assert 1 <= len(found) <= search.num_beams
        scores = [h.score for h in found]
        assert scores == sorted(scores, reverse=True)
        for h in found:
            pairs = zip((0, *h.tokens[:-1]), h.tokens, strict=True)
            total = sum(logprobs[last][token] for last, token in pairs)
            assert math.isclose(h.score, total / len(h.tokens) ** search.length_penalty, rel_tol=1e-5)
            text = b"".join(LETTERS[token] for token in h.tokens)
            stops = [stop for stop in search.stop_sequences if stop in text]
            assert h.ended == (h.tokens[-1] == 4 or bool(stops))
            assert (h.match_end is not None) == bool(stops)
            assert h.ended or len(h.tokens) == search.max_length


def test_as_many_beams_as_there_are_texts_find_the_best_one() -> None:
    """Exhaustive: 12 beams hold every prefix of one token, so the best of two tokens is the best of all."""
    table = model(3)
    searches = new_searches([Search(num_beams=V, max_length=2, early_stopping="never")], vocabulary=V)
    best = search_all(searches, table)[0][0]
    scores = torch.log_softmax(table[0], 0)[:, None] + torch.log_softmax(table, 1)
    assert best.tokens == tuple(divmod(int(scores.argmax()), V))


def test_equal_searches_find_the_same_side_by_side_and_alone() -> None:
    table = model(4)
    alone = search_all(begin([KINDS[2]]), table)[0]
    assert search_all(begin([KINDS[2]] * 3), table) == [alone] * 3


@pytest.mark.skipif(not IS_INTERPRETED, reason="Triton compiles in this process")
def test_the_kernels_find_what_the_cpu_finds() -> None:
    def step(logits: torch.Tensor, searches: Searches) -> None:
        with np.errstate(all="ignore"):
            beam_device.run(logits, searches, workspace)

    searches = begin()
    workspace = new_beam_workspace(searches.num_rows, V, "cpu")
    assert search_all(searches, model(5), step) == search_all(begin(), model(5))


def test_a_cache_follows_source_rows() -> None:
    """What each row has seen, kept as a user keeps a cache, is what the beams consist of."""
    searches, table = begin([KINDS[0], KINDS[3]]), model(6)
    seen = torch.zeros(searches.num_rows, 0, dtype=torch.int32)
    for _ in range(2):
        beam_step(table[searches.token], searches)
        seen = torch.cat([seen[searches.source_rows()], searches.token[:, None]], 1)
    tokens, parents = searches.past_token, searches.past_parent.long()
    first = torch.tensor([0, 0, 0, 3, 3])
    assert torch.equal(seen, torch.stack([tokens[first + parents[:, 1], 0], tokens[:, 1]], 1))


def test_searches_begin_anew_in_the_same_buffers() -> None:
    searches, table = begin(), model(7)
    expected = search_all(searches, table)
    addresses = [searches.score.data_ptr(), searches.past_token.data_ptr()]
    searches.restart(begin())
    assert search_all(searches, table) == expected
    assert [searches.score.data_ptr(), searches.past_token.data_ptr()] == addresses
    with pytest.raises(InvalidRequest, match="be as many and as wide as those: `live` differs"):
        searches.restart(begin(KINDS[:2]))


def test_searches_that_are_over_are_left_alone() -> None:
    searches = begin()
    search_all(searches, model(8))
    before = arrays_of(searches)
    beam_step(torch.full((searches.num_rows, V), math.nan), searches)
    assert_same(arrays_of(searches), before)


def test_logits_that_cannot_be_searched_give_a_status() -> None:
    searches = begin()
    logits = model(9)[[0] * searches.num_rows]
    logits[3] = -math.inf
    logits[5, 2] = math.inf
    beam_step(logits, searches)
    assert searches.status.tolist() == [0, 1, 2, 0]
    assert searches.length.tolist() == [1, 0, 0, 1]
    with pytest.raises(InvalidRequest, match=r"`searches.status\[1\]` must be 0: there was no finite logit"):
        hypotheses(searches)


@pytest.mark.parametrize(
    ("arguments", "param", "message"),
    [
        ({"num_beams": 0}, "num_beams", "be an integer ≥ 1, got 0"),
        ({"max_length": 1.5}, "max_length", "be an integer ≥ 1"),
        ({"early_stopping": "always"}, "early_stopping", 'be true, false or "never"'),
        ({"length_penalty": math.inf}, "length_penalty", "be a finite number"),
        ({"stop_sequences": ("a",)}, r"stop_sequences[0]", "be bytes that are not empty, got 'a'"),
        ({"stop_sequences": b"ab"}, "stop_sequences", "be a tuple of bytes"),
    ],
)
def test_a_search_that_is_wrong_is_refused(arguments: dict[str, Any], param: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        Search(**arguments)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("arguments", "param", "message"),
    [
        ({"searches": []}, "searches", "be a list of `Search`, at least one"),
        ({"searches": [4]}, "searches", "be a list of `Search`"),
        ({"searches": Search()}, "searches", "be a list of `Search`"),
        ({"vocabulary": 1}, "vocabulary", "be an integer from 2 to 1048576, got 1"),
        ({"eos_ids": [V]}, "eos_ids", f"be an integer from 0 to {V - 1}, got {V}"),
        ({"eos_ids": [-1]}, r"eos_ids[0]", "be an integer ≥ 0"),
        ({"searches": [Search(num_beams=257)]}, r"searches[0].num_beams", "be an integer from 1 to 256, got 257"),
        ({"eos_ids": [1, 2, 3], "searches": [Search(num_beams=129)]}, r"searches[0].num_beams", "from 1 to 128"),
        ({"searches": KINDS}, "token_bytes", "be the bytes of each token: a search has stop sequences"),
        ({"token_bytes": [b"a"]}, "token_bytes", "have an entry for each of the 12 tokens, got 1"),
        ({"token_bytes": ["a"] * V}, r"token_bytes[0]", "be bytes, got 'a'"),
        ({"searches": [Search(stop_sequences=(b"x" * 70000,))], "token_bytes": LETTERS}, None, "be shorter than 65536"),
    ],
)
def test_searches_that_are_wrong_are_refused(arguments: dict[str, Any], param: str | None, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        new_searches(**{"searches": [Search()], "vocabulary": V} | arguments)
    assert caught.value.param == (param or "searches[0].stop_sequences")


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (torch.zeros(3, V), r"be a tensor \[4, 12\]: a row for each beam, got \[3, 12\]"),
        (torch.zeros(4, V + 1), r"be a tensor \[4, 12\]"),
        ([[0.0]], r"be a tensor \[4, 12\]"),
        (torch.zeros(4, V).double(), "be float32, bfloat16 or float16"),
        (torch.zeros(V, 4).T, "have rows without gaps: call .contiguous"),
        (torch.zeros(4, V, device="meta"), "be on the device of the searches, cpu, got 'meta'"),
    ],
)
def test_logits_that_are_wrong_are_refused(logits: Any, message: str) -> None:
    searches = new_searches([Search()], vocabulary=V)
    with pytest.raises(InvalidRequest, match=message) as caught:
        beam_step(logits, searches)
    assert caught.value.param == "logits"
    assert searches.length.tolist() == [0]


def test_other_devices_and_other_searches_are_refused() -> None:
    searches = new_searches([Search()], vocabulary=V, device="meta")
    with pytest.raises(BackendError, match="be on the CPU or an NVIDIA GPU, got meta"):
        beam_step(torch.zeros(4, V, device="meta"), searches)
    with pytest.raises(InvalidRequest, match="be `Searches`, as `new_searches` makes them"):
        beam_step(torch.zeros(4, V), [Search()])


def test_a_workspace_on_the_cpu_serves_step_after_step() -> None:
    """The beams are those of steps without one; another size is refused."""
    logits = torch.randn(3, 40, generator=torch.Generator().manual_seed(1))
    kept, other = (new_searches([Search(num_beams=3)], vocabulary=40, eos_ids=[]) for _ in range(2))
    workspace = new_beam_workspace(3, 40, "cpu")
    for _ in range(4):
        beam_step(logits, kept, workspace)
        beam_step(logits, other)
        assert torch.equal(kept.token, other.token)
        assert torch.equal(kept.score, other.score)
    with pytest.raises(InvalidRequest, match="workspace"):
        beam_step(logits, kept, new_beam_workspace(3, 41, "cpu"))


def test_a_workspace_is_for_steps_of_its_size() -> None:
    workspace = new_beam_workspace(4, V, "cpu")
    assert workspace.fits(3, V, torch.device("cpu"))
    for other in ((5, V, torch.device("cpu")), (4, V + 1, torch.device("cpu")), (4, V, torch.device("cuda"))):
        assert not workspace.fits(*other)


def test_warming_up_is_a_step() -> None:
    warm_up_beams("cpu", vocabulary=V, num_beams=7, num_eos=3)

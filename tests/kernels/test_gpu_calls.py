"""How the Triton sampler is called on a GPU: graphs, streams, buffers, no waiting, what is compiled, what is refused.

And that what a replayed graph draws follows the softmax.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import triton
from genlib.kernels import new_sampled, new_workspace, sample, warm_up
from genlib.kernels.sampler import launches
from support.docs import graph_example, run_session
from support.kernels import ON_GPU
from support.kernels_random import (
    Arguments,
    assert_as_on_the_cpu,
    assert_identical,
    moved,
    random_arguments,
    rows_of,
    sampled_rows,
)
from support.random import Z_LIMIT, chi_squared_z, random_logits

from genlib.errors import InvalidRequest

pytestmark = ON_GPU
V = 2064


def random_call(seed: int, S: int, changed: bool = False, top_logprobs: int = 0) -> tuple[torch.Tensor, Arguments]:
    """Logits and arguments on the CPU."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(random_logits(rng, V, S)), random_arguments(rng, V, S, changed, top_logprobs)


def captured(call: Callable[[], object]) -> torch.cuda.CUDAGraph:
    """A graph of the call, which has run twice before."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        call()
        call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph


@pytest.mark.parametrize("changed", [False, True])
def test_a_graph_draws_at_positions_that_advance(changed: bool) -> None:
    """And from what its buffers hold when it is replayed."""
    S = 64
    logits, arguments = random_call(1, S, changed, top_logprobs=5)
    buffers = {"out": new_sampled(S, 5, "cuda"), "workspace": new_workspace(S, V, "cuda")}
    place, there = logits.to("cuda"), moved(arguments, "cuda")

    def step() -> None:
        sample(place, **there, **buffers)
        there["positions"] += 1

    graph = captured(step)
    for seed in range(2, 7):
        logits = random_call(seed, S)[0]
        place.copy_(logits)
        there["positions"].copy_(arguments["positions"])
        for i in range(3):
            graph.replay()
            now = arguments | {"positions": arguments["positions"] + i}
            assert_as_on_the_cpu(buffers["out"], logits, now)


def test_nothing_waits_for_the_device() -> None:
    logits, arguments = random_call(2, 32, changed=True, top_logprobs=3)
    place, there = logits.to("cuda"), moved(arguments, "cuda")
    buffers = {"out": new_sampled(32, 3, "cuda"), "workspace": new_workspace(32, V, "cuda")}
    sample(place, **there)
    torch.cuda.set_sync_debug_mode("error")
    try:
        got = sample(place, **there)
        sample(place, **there, **buffers)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert_identical(got, buffers["out"])


def test_the_call_returns_before_the_device_is_done() -> None:
    """Behind a kernel that takes a tenth of a second or more, the host goes on."""
    logits, arguments = random_call(3, 32)
    place, there = logits.to("cuda"), moved(arguments, "cuda")
    sample(place, **there)
    torch.cuda.synchronize()
    torch.cuda._sleep(1_000_000_000)
    sample(place, **there)
    done = torch.cuda.Event()
    done.record()
    assert not done.query()
    torch.cuda.synchronize()


def test_a_workspace_may_hold_anything() -> None:
    """Calls of other kinds and of the same have used it, and garbage has been written to all but its counters."""
    workspace = new_workspace(96, V, "cuda")
    generator = torch.Generator("cuda").manual_seed(1)
    kinds = [(96, False, 0), (7, True, 5), (1, False, 64), (96, True, 0), (50, False, 5)]
    for seed, (S, changed, top) in enumerate(kinds * 2):
        logits, arguments = random_call(seed, S, changed, top)
        for name, buffer in workspace.work._asdict().items():
            if seed % 2 and name != "tiles_done":
                buffer.view(torch.uint8).random_(generator=generator)
        got = sample(logits.to("cuda"), **moved(arguments, "cuda"), workspace=workspace)
        assert_as_on_the_cpu(got, logits, arguments)


def test_two_streams_do_not_disturb_each_other() -> None:
    calls = [random_call(seed, 256, changed=seed == 1) for seed in range(2)]
    places = [(logits.to("cuda"), moved(arguments, "cuda")) for logits, arguments in calls]
    expected = [sample(logits, **arguments) for logits, arguments in places]
    streams = [torch.cuda.Stream(), torch.cuda.Stream()]
    torch.cuda.synchronize()
    got: list[list[Any]] = [[], []]
    for _ in range(20):
        for i, stream in enumerate(streams):
            with torch.cuda.stream(stream):
                got[i].append(sample(places[i][0], **places[i][1]))
    torch.cuda.synchronize()
    for i in range(2):
        for one in got[i]:
            assert_identical(one, expected[i])


def test_another_stream_than_the_default_is_used() -> None:
    """What is drawn from is written on the same stream, behind a kernel that takes long."""
    logits, arguments = random_call(4, 32)
    place, there = torch.zeros(32, V, device="cuda"), moved(arguments, "cuda")
    source = logits.to("cuda")
    sample(place, **there)
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(100_000_000)
        place.copy_(source)
        got = sample(place, **there)
    stream.synchronize()
    assert_as_on_the_cpu(got, logits, arguments)


def test_warming_up_leaves_nothing_to_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters as numbers or tensors, few rows or many, with mask, edits and the most likely tokens or without."""
    for name in ("sweep", "choose", "split", "finish", "tops"):
        getattr(launches, name).device_caches.clear()
    compiled: list[str] = []
    monkeypatch.setattr(triton.knobs.runtime, "jit_cache_hook", lambda **about: compiled.append(about["repr"]))
    warm_up("cuda", vocabulary=V, dtype=torch.float32)
    assert compiled, "the hook is told of what is compiled"
    del compiled[:]
    for changed in (False, True):
        for top in (0, 5):
            logits, arguments = random_call(5, 20, changed, top)
            there = moved(arguments, "cuda")
            for rows in (slice(0, 20), slice(0, 1)):
                sample(logits.to("cuda")[rows], **rows_of(there, rows))
            numbers = {"temperature": 0.8, "top_k": 9, "top_p": 0.9, "min_p": 0.1, "streams": 16}
            sample(logits.to("cuda"), **there | numbers)
            sample(logits.to("cuda"), **there | {"top_k": 0, "top_p": 1.0, "min_p": 0.0})
    assert compiled == []


def test_the_documents_example() -> None:
    """Its session gives the CPU's tokens; its graph advances the positions."""
    failed, names = run_session("cuda")
    assert failed == 0
    before = names["positions"].tolist()
    exec(graph_example(), names)
    assert names["positions"].tolist() == [position + 1 for position in before]
    assert len(names["tokens"]) == names["S"]


def test_tensors_on_another_device_are_refused() -> None:
    logits, arguments = random_call(6, 4, changed=True, top_logprobs=2)
    place, there = logits.to("cuda"), moved(arguments, "cuda")
    for name, value in arguments.items():
        if name != "top_logprobs":
            with pytest.raises(InvalidRequest, match=f"`{name}.*on the device of the logits, cuda:0, got 'cpu'"):
                sample(place, **there | {name: value})
    with pytest.raises(InvalidRequest, match=r"`out\.token` must be contiguous and on cuda:0"):
        sample(place, **there, out=new_sampled(4, 2, "cpu"))
    for workspace in (new_workspace(4, V, "cpu"), new_workspace(3, V, "cuda"), new_workspace(4, V, "cuda", False)):
        with pytest.raises(InvalidRequest, match=r"`workspace` must be for \[4, 2064\] on cuda:0, with `truncates`"):
            sample(place, **there, workspace=workspace)
    with pytest.raises(InvalidRequest, match="`seeds` must be on the device of the logits, cpu, got 'cuda:0'"):
        sample(logits, **arguments | {"seeds": there["seeds"]})


def test_values_on_the_device_are_not_read() -> None:
    """Rows with parameters that make no sense are their caller's; they do not disturb the others."""
    logits, arguments = random_call(7, 16)
    there = moved(arguments, "cuda")
    expected = sample(logits.to("cuda"), **there)
    there["top_p"][3], there["temperature"][5], there["top_k"][7] = -1.0, float("nan"), -1
    got = sample(logits.to("cuda"), **there)
    others = [s for s in range(16) if s not in (3, 5, 7)]
    assert_identical(sampled_rows(got, others), sampled_rows(expected, others))


@pytest.mark.parametrize(
    ("size", "spread", "parameters"),
    [
        (208, 1.0, {"temperature": 0.8}),
        (208, 1.0, {"top_p": 0.9}),
        (208, 1.0, {"min_p": 0.05}),
        (208, 3.0, {"temperature": 1.5, "top_k": 60, "top_p": 0.95}),
        (2064, 1e-3, {"top_p": 0.5}),
    ],
)
def test_what_a_graph_draws_follows_the_softmax(size: int, spread: float, parameters: dict[str, float]) -> None:
    """G-test on 2.6 million draws, thirteen million in all, against a softmax in float64 of the kept tokens."""
    S, replays = 65536, 40
    row = torch.randn(size, generator=torch.Generator().manual_seed(7)) * spread
    logits = row.to("cuda").repeat(S, 1)
    seeds, positions = torch.arange(S, device="cuda"), torch.zeros(S, dtype=torch.int64, device="cuda")
    counts, ones = torch.zeros(size, dtype=torch.int64, device="cuda"), torch.ones_like(seeds)
    out = new_sampled(S, 0, "cuda")

    def step() -> None:
        sample(logits, seeds=seeds, positions=positions, out=out, **parameters)
        counts.scatter_add_(0, out.token, ones)
        positions.add_(1)

    graph = captured(step)
    counts.zero_()
    for _ in range(replays):
        graph.replay()
    assert int(positions[0]) == replays + 2, "capturing runs nothing"
    observed = counts.cpu().numpy().astype(np.float64)
    x = row.numpy().astype(np.float64) / parameters.get("temperature", 1.0)
    kept = np.isin(np.arange(size), np.argsort(-x, kind="stable")[: int(out.num_kept[0])])
    weight = np.where(kept, np.exp(x - x.max()), 0)
    assert observed[~kept].sum() == 0
    expected = S * replays * (weight / weight.sum())[kept]
    assert abs(chi_squared_z(observed[kept], expected, is_g=True)) < Z_LIMIT

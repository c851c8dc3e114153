"""The sampler's benchmark measures what it says: its rows, its gates, its turns, its table, and what runs on a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from support.paths import ROOT

BENCH = ROOT / "bench"


@pytest.fixture(autouse=True)
def _modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))


def cell_of(setting: str = "k+p", V: int = 2000, dtype: str = "float32", kind: str = "randn*3", **more: Any) -> Any:
    from sampler.cells import BY_NAME, Cell

    return Cell(3, V, dtype, kind, BY_NAME[setting], **more)


@pytest.mark.parametrize("kind", ["randn*1", "randn*4", "zipf", "flat", "model"])
def test_rows_of_a_kind(kind: str) -> None:
    from sampler.logits import logits_of

    cell = cell_of(V=4096, dtype="bfloat16", kind=kind)
    rows = logits_of(cell, "cpu")
    assert rows.shape == (3, 4096)
    assert rows.dtype == torch.bfloat16
    assert torch.equal(rows, logits_of(cell, "cpu"))
    assert len(torch.unique(rows, dim=0)) == 3
    nucleus = rows.float().softmax(-1).sort(descending=True).values.cumsum(-1) < 0.95
    sizes = {
        "randn*1": (2000, 3500),
        "randn*4": (5, 300),
        "zipf": (100, 3000),
        "flat": (3800, 4000),
        "model": (0, 2000),
    }
    low, high = sizes[kind]
    assert all(low <= size <= high for size in nucleus.sum(1).tolist()), nucleus.sum(1)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("setting", ["greedy", "T", "k", "p", "k+p", "everything"])
def test_every_contestant_passes_the_gate(setting: str, dtype: str) -> None:
    from sampler.measure import measure

    class Clock:
        def samples(self, draws: Any, *_: Any) -> Any:
            return {name: {"call": [1.0]} for name in draws}

        def limit(self, size: int) -> list[float]:
            return [size / 1e3]

    record = measure(cell_of(setting, dtype=dtype), "cpu", Clock())
    assert record["failed"] == {}
    others = {"T": {"torch", "race", "transformers"}, "everything": {"torch"}}.get(setting, {"torch", "transformers"})
    assert others <= record["samples"].keys()
    assert "genlib" in record["samples"]
    assert record["limit"] == [3 * 2000 * (4 if dtype == "float32" else 2) / 1e3]
    json.dumps(record)


class FlashInfer:
    """What its documentation says of the functions that are used, in torch."""

    @staticmethod
    def softmax(logits: torch.Tensor, temperature: float) -> torch.Tensor:
        return (logits / temperature).softmax(-1)

    @staticmethod
    def sampling_from_probs(probs: torch.Tensor, seed: int, offset: int) -> torch.Tensor:
        return torch.multinomial(probs, 1)[:, 0].int()

    @staticmethod
    def top_k_sampling_from_probs(probs: torch.Tensor, top_k: int, seed: int, offset: int) -> torch.Tensor:
        return probs.topk(top_k).indices[:, -1].int()

    @staticmethod
    def top_p_sampling_from_probs(probs: torch.Tensor, top_p: float, seed: int, offset: int) -> torch.Tensor:
        order = probs.sort(descending=True)
        return order.indices.gather(1, (order.values.cumsum(-1) < top_p).sum(-1, keepdim=True))[:, 0].int()

    @classmethod
    def top_k_top_p_sampling_from_logits(
        cls, logits: torch.Tensor, top_k: int, top_p: float, seed: int, offset: int
    ) -> torch.Tensor:
        cut = torch.where(logits < logits.topk(top_k).values[:, -1:], -torch.inf, logits)
        return cls.top_p_sampling_from_probs(cut.softmax(-1), top_p, seed, offset)


def apply_top_k_top_p(logits: torch.Tensor, k: torch.Tensor | None, p: torch.Tensor | None) -> torch.Tensor:
    """vLLM's, which changes the logits it is given."""
    order = logits.sort(descending=True)
    if k is not None:
        logits[logits < order.values.gather(1, k.long()[:, None] - 1)] = -torch.inf
    if p is not None:
        order = logits.softmax(-1).sort(descending=True)
        dropped = order.values.cumsum(-1) - order.values >= p[:, None]
        logits[torch.zeros_like(dropped).scatter(1, order.indices, dropped)] = -torch.inf
    return logits


@pytest.mark.parametrize("setting", ["T", "k", "p", "k+p"])
def test_peers_of_a_gpu_are_called_as_they_say(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With stand-ins that draw the last token they keep."""
    from sampler.contestant import Contestant
    from sampler.gates import Gate
    from sampler.logits import logits_of
    from sampler.peers import with_flashinfer, with_vllm

    monkeypatch.setitem(sys.modules, "flashinfer", SimpleNamespace(sampling=FlashInfer))
    kernel = SimpleNamespace(apply_top_k_top_p_triton=apply_top_k_top_p)
    monkeypatch.setitem(sys.modules, "vllm.v1.sample.ops.topk_topp_triton", kernel)
    cell = cell_of(setting)
    logits = logits_of(cell, "cpu")
    before = logits.clone()
    gate = Gate(cell, logits)
    for prepare in (with_flashinfer, with_vllm):
        draw = prepare(cell, "cpu")
        assert (draw is None) == (prepare is with_vllm and setting == "T")
        if draw is not None:
            gate.check(Contestant("peer", "peer", prepare), draw)
    assert torch.equal(logits, before)


def test_what_is_wrong_is_not_timed() -> None:
    from sampler.contestant import Contestant
    from sampler.gates import Gate, WrongResultError
    from sampler.logits import logits_of
    from sampler.own import kernels
    from sampler.peers import with_torch

    cell = cell_of()
    logits = logits_of(cell, "cpu")
    gate = Gate(cell, logits)
    right, peer = kernels(cell, "cpu"), with_torch(cell, "cpu")
    own, other = Contestant("own", "genlib", lambda *_: right), Contestant("other", "torch", lambda *_: peer)
    gate.check(own, right)
    gate.check(other, peer)
    for contestant, draw, message in (
        (own, lambda x: (right(x)[0] + 1, None), "draws other tokens"),
        (other, lambda x: (x.argmin(-1), None), "is not kept"),
        (other, lambda x: (peer(x)[0], torch.full((3,), 0.9999)), "says 0.99"),
    ):
        with pytest.raises(WrongResultError, match=message):
            gate.check(contestant, draw)


def test_contestants_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow one has fewer, a fast one more calls in each."""
    from sampler import host_clock

    seconds, turns = {"fast": 1e-5, "slow": 0.2}, []

    def timed(call: Any, repeats: int) -> float:
        turns.append((call(), repeats))
        return seconds[call()]

    monkeypatch.setattr(host_clock, "timed", timed)
    samples = host_clock.interleaved({"fast": lambda: "fast", "slow": lambda: "slow"})
    assert {name: len(values) for name, values in samples.items()} == {"fast": host_clock.ROUNDS, "slow": 3}
    calls = int(host_clock.TURN / 1e-5)
    assert turns[2:14] == [("fast", calls), ("fast", calls), ("slow", 1), ("slow", 1)] * 3
    assert np.allclose(samples["slow"], 2e5)


def test_the_table_tells_ratios_limit_target_and_who_is_missing() -> None:
    from sampler.measure import run_of
    from sampler.summary import sampling_table

    modes = {"graph, warm": [8.0, 10.0, 12.0], "graph, cold": [20.0], "eager": [100.0]}
    samples = {"genlib": modes, "torch": {"graph, warm": [50.0], "eager": [1.0]}, "transformers": {"eager": [400.0]}}
    cells = [
        {"cell": {"target": target}, "name": name, "samples": samples, "limit": [5.0], "failed": {"vLLM": "broken"}}
        for name, target in (("one", 10.0), ("two", 9.0), ("three", None))
    ]
    run = run_of("cuda", 2, cells, 0.25)
    assert run["bench"] == "sampling"
    table = sampling_table(json.loads(json.dumps(run)))
    one, two, three = table.splitlines()[-3:]
    for text in ("10.0 |", "20.0", "100.0", " 5.0 |", "4.0 (eager)", " 4.0 |", "met: 10"):
        assert text in one
    assert "MISSED: 9" in two
    assert three.rstrip("| ").endswith("-")
    assert "not installed: FlashInfer, vLLM" in table
    assert "failed: vLLM: broken" in table
    assert "took 25%" in table


def test_targets_are_figures_of_the_gpu() -> None:
    from sampler.cells import figures, grid

    targets = [cell.target for cell in figures() if cell.target]
    assert targets == [7, 14, 90, 11, 20, 110, 20, 36, 220]
    names = [cell.name for cell in grid("cpu", True)]
    assert len(set(names)) == len(names) == 6 * 2 * 6 * (3 * 4 + 1)
    assert {cell.name for cell in grid("cpu", False)} <= set(names)


def test_the_benchmark_runs_under_pytest(tmp_path: Path) -> None:
    command = [sys.executable, "bench/bench_sampling.py", "-k", "greedy and model and float32 and S1"]
    command += ["-p", "no:randomly", "--json", str(tmp_path / "run"), "--lines", str(tmp_path / "lines")]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=BENCH.parent, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads((tmp_path / "run").read_text())
    assert [cell["name"] for cell in run["cells"]] == [f"greedy model float32 V4096 S{S}" for S in (1, 16)]
    assert run["cells"] == [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    assert "| greedy model float32 V4096 S1 " in done.stdout
    command = [sys.executable, "bench/report.py", str(tmp_path / "run")]
    shown = subprocess.run(command, cwd=BENCH.parent, capture_output=True, text=True, check=True)
    assert "| greedy model float32 V4096 S1 " in shown.stdout


def test_a_part_that_fails_or_hangs_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu

    monkeypatch.setattr(gpu, "LOOKS", 0.1)
    report = gpu.Report(tmp_path / "gpu.json")
    fails = gpu.run(gpu.Part("fails", 60, (("-c", "raise SystemExit('no GPU')"), ("-c", "print('yes')"))), 60, report)
    assert fails["exit"] == [1, 0]
    assert fails["output"] == ["no GPU\n", "yes\n"]
    writes = "import sys, time; open(sys.argv[-1], 'w').write('{\"a\": 1}\\n{\"b\"'); time.sleep(600)"
    hangs = gpu.run(gpu.Part("hangs", 60, (("-c", writes),), lines=True), 3, report)
    assert hangs["exit"] == [None]
    assert hangs["results"] == [{"a": 1}]
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert content["parts"] == {"fails": fails, "hangs": hangs}
    assert content["versions"]["torch"]


def test_the_parts_are_there() -> None:
    import gpu

    parts = {part.name: part for part in gpu.parts()}
    assert sum(part.seconds for part in parts.values()) < 600
    tests = [word for word in parts["tests"].commands[0] if word.endswith(".py")]
    names = ["test_beam_gpu.py", "test_gpu.py", "test_gpu_calls.py"]
    assert [Path(path).name for path in tests] == names
    assert gpu.summary([]) == []
    assert gpu.shortened("abcdef", 3) == "abcdef"
    assert gpu.shortened("abcdefg", 2) == "ab\n…\nfg"

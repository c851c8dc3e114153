"""Weights: which tensors a model must have, how they are read, and what the digest covers."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.checkpoints import FAMILIES, edit_json, make_checkpoint

from genlib.checkpoint.checksum import BLOCK
from genlib.checkpoint.config import ModelConfig
from genlib.checkpoint.weights import Checkpoint, check, expected_tensors
from genlib.errors import CheckpointError

NAME = "model.safetensors"


def save(folder: Path, tensors: dict[str, Any]) -> Checkpoint:
    safetensors.numpy.save_file(tensors, folder / NAME)
    return Checkpoint.open(folder)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_tensors_are_those_that_transformers_saved(tmp_path: Path, family: str, dtype: str) -> None:
    import torch

    biased = {"attention_bias": True} if family in ("llama", "qwen3") else {}
    model = make_checkpoint(tmp_path, family, dtype=dtype, tie_word_embeddings=family == "qwen2", **biased)
    checkpoint, config = Checkpoint.open(tmp_path), ModelConfig.load(tmp_path)
    check(checkpoint, config)
    parameters = dict(model.named_parameters())
    assert set(checkpoint.names) == set(parameters) == expected_tensors(config).keys()
    assert {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}[dtype] == checkpoint.dtype
    for name, parameter in parameters.items():
        tensor = checkpoint.tensor(name)
        assert (tensor.name, tensor.dtype, tensor.data.shape) == (name, checkpoint.dtype, tuple(parameter.shape))
        assert torch.equal(torch.from_numpy(tensor.to_float32()), parameter.detach().float())


def test_shards_are_one_checkpoint(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    make_checkpoint(whole)
    make_checkpoint(parts, shard_size="60KB")
    assert len(list(parts.glob("model-*.safetensors"))) > 2
    one, many = Checkpoint.open(whole), Checkpoint.open(parts)
    check(many, ModelConfig.load(parts))
    assert one.names == many.names
    assert one.num_bytes() == many.num_bytes() == sum(one.tensor(name).data.nbytes for name in one.names)
    assert one.digest() == many.digest()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    make_checkpoint(folder, "llama", tie_word_embeddings=True)
    return folder


def altered(saved: Path, change: Any) -> None:
    """Opens and checks the saved checkpoint with tensors changed by `change`, which gets all as a dict."""
    tensors = safetensors.numpy.load_file(saved / NAME)
    change(tensors)
    folder = saved.parent / "altered"
    folder.mkdir(exist_ok=True)
    check(save(folder, tensors), ModelConfig.load(saved))


def test_tensors_that_do_not_fit_are_named_together(saved: Path) -> None:
    def change(tensors: dict[str, Any]) -> None:
        for layer in (0, 1, 2):
            del tensors[f"model.layers.{layer}.mlp.up_proj.weight"]
        del tensors["model.layers.1.input_layernorm.weight"]
        tensors["model.layers.0.self_attn.q_proj.bias"] = np.zeros(48, np.float32)
        tensors["model.layers.2.self_attn.q_proj.bias"] = np.zeros(48, np.float32)
        tensors["model.norm.weight"] = np.zeros(47, np.float32)
        tensors["model.layers.0.mlp.gate_proj.weight"] = np.zeros((80, 48), np.float64)
        tensors["model.layers.1.mlp.gate_proj.weight"] = np.zeros((80, 48), np.float16)

    with pytest.raises(CheckpointError) as caught:
        altered(saved, change)
    assert caught.value.message.split("\n  - ")[1:] == [
        "model.layers.{0-2}.mlp.up_proj.weight is missing",
        "model.layers.{1}.input_layernorm.weight is missing",
        "model.layers.{0,2}.self_attn.q_proj.bias is unexpected",
        "model.layers.{0}.mlp.gate_proj.weight must be F32, BF16 or F16, got F64; convert the weights",
        "model.norm.weight must have shape [48] according to config.json, got [47]",
        "the matrices must share one dtype, got F16, F32; convert the weights",
    ]


def test_a_missing_head_points_to_tied_embeddings(tmp_path: Path, saved: Path) -> None:
    (tmp_path / "config.json").write_bytes((saved / "config.json").read_bytes())
    edit_json(tmp_path / "config.json", {"tie_word_embeddings": False})
    with pytest.raises(CheckpointError, match=r"lm_head.weight is missing\n.*set `tie_word_embeddings`"):
        check(Checkpoint.open(saved), ModelConfig.load(tmp_path))


def test_extras_that_change_nothing_are_tolerated(saved: Path) -> None:
    def change(tensors: dict[str, Any]) -> None:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].copy()
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(4, np.float32)
        tensors["model.rotary_emb.inv_freq"] = np.ones(4, np.float64)

    altered(saved, change)


def test_a_tied_head_of_its_own_is_refused(saved: Path) -> None:
    def change(tensors: dict[str, Any]) -> None:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].copy()
        tensors["lm_head.weight"][-1, -1] += 1

    with pytest.raises(CheckpointError, match=r"`tie_word_embeddings` must be false, since lm_head.weight differs"):
        altered(saved, change)


def test_a_file_that_shrinks_after_it_was_opened(tmp_path: Path) -> None:
    checkpoint = save(tmp_path, {"a": np.ones(1000, np.float32)})
    (tmp_path / NAME).write_bytes((tmp_path / NAME).read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="was truncated while being read"):
        checkpoint.tensor("a")
    with pytest.raises(CheckpointError, match="has no tensor 'b'"):
        checkpoint.tensor("b")


def test_one_tensor_at_a_time_is_all_the_memory_it_takes(tmp_path: Path) -> None:
    each = 6 << 20
    checkpoint = save(tmp_path, {name: np.ones(each // 4, np.float32) for name in "abcd"})
    tracemalloc.start()
    try:
        for name in checkpoint.names:
            checkpoint.tensor(name)
        checkpoint.digest()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert each <= peak < each + (1 << 20)


@given(st.integers(0, 3 * BLOCK + 40), st.integers(1, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_every_byte_is_in_the_digest(tmp_path: Path, place: int, flip: int) -> None:
    data = np.arange(3 * BLOCK + 41, dtype=np.uint64).astype(np.uint8)
    data = np.concatenate([data, data[: -data.size % 4]]).view(np.float32)
    before = save(tmp_path, {"a": data}).digest()
    data.view(np.uint8)[place] ^= flip
    assert save(tmp_path, {"a": data}).digest() != before


def test_the_digest_tells_weights_apart(tmp_path: Path) -> None:
    ramp = np.arange(4 * BLOCK // 4, dtype=np.float32)
    blocks = ramp.reshape(4, -1)
    same = save(tmp_path, {"a": ramp})
    digest = same.digest()
    same.tensor("a")
    assert same.digest() == digest
    negated = blocks.copy()
    negated[:2] *= -1
    others = [
        {"b": ramp},
        {"a": blocks},
        {"a": (ramp % 2).astype(np.float16)},
        {"a": np.append(ramp, np.float32(0))},
        {"a": blocks[::-1].ravel()},
        {"a": blocks[[1, 0, 2, 3]].ravel()},
        {"a": negated.ravel()},
        {"a": -ramp},
    ]
    digests = {save(tmp_path, {k: v.copy() for k, v in tensors.items()}).digest() for tensors in others}
    assert len(digests | {digest}) == 1 + len(others)


def test_torch_is_not_needed() -> None:
    code = "import sys, genlib.text.utf8, genlib.checkpoint.weights; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0

"""The fingerprint tells apart whatever can change a token."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.checkpoints import edit_json, make_checkpoint

from genlib.model.load import load


def fingerprint(folder: Path, **options: Any) -> str:
    loaded = load(folder, threads=1, **options)
    loaded.model.close()
    return loaded.fingerprint


def edit_tokenizer(folder: Path) -> None:
    """Gives two ordinary tokens each other's ids."""
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    first, second = list(vocabulary)[40:42]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    path.write_text(json.dumps(tokenizer))


def set_theta(config: dict[str, Any]) -> None:
    config.setdefault("rope_parameters", config)["rope_theta"] = 5000.0


CHANGES: dict[str, Callable[[Path], object]] = {
    "rope_theta": lambda folder: edit_json(folder / "config.json", set_theta),
    "rms_norm_eps": lambda folder: edit_json(folder / "config.json", {"rms_norm_eps": 1e-4}),
    "eos_token_id": lambda folder: edit_json(folder / "generation_config.json", {"eos_token_id": [3, 4]}),
    "no generation_config": lambda folder: (
        (folder / "generation_config.json").unlink(),
        edit_json(folder / "config.json", {"eos_token_id": 5}),
    ),
    "tokenizer": edit_tokenizer,
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_a_token_changes_it(tmp_path: Path, change: str) -> None:
    make_checkpoint(tmp_path / "a", "llama")
    make_checkpoint(tmp_path / "b", "llama")
    before = fingerprint(tmp_path / "a")
    assert fingerprint(tmp_path / "b") == before
    CHANGES[change](tmp_path / "b")
    assert fingerprint(tmp_path / "b") != before


def test_dtypes_differ(tmp_path: Path) -> None:
    make_checkpoint(tmp_path, "llama")
    assert len({fingerprint(tmp_path, dtype=dtype) for dtype in ("float32", "bfloat16", "float16")}) == 3

"""Damaged and hostile checkpoint folders: each is one CheckpointError, soon, whatever lies where a file should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.checkpoints import edit_json, make_checkpoint

import genlib

FILES = ("config.json", "generation_config.json", "tokenizer.json", "model.safetensors")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    make_checkpoint(folder, "llama")
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    for path in whole.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def refused(folder: Path) -> str:
    """The message, from a process of its own, which must end soon and within its memory."""
    program = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
import genlib
try:
    genlib.Engine(sys.argv[1], threads=1)
except genlib.CheckpointError as error:
    print(error)
"""
    command = [sys.executable, "-c", program, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    ("field", "most"),
    [
        ("num_hidden_layers", 4096),
        ("max_position_embeddings", 2**24),
        ("vocab_size", 2**24),
        ("hidden_size", 2**20),
        ("num_attention_heads", 2**14),
    ],
)
def test_sizes_beyond_sense(folder: Path, field: str, most: int) -> None:
    edit_json(folder / "config.json", {field: 10**9})
    assert f"`{field}` must be at most {most}, got 1000000000" in refused(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file(folder: Path, name: str, kind: str) -> None:
    path = folder / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    message = refused(folder)
    assert name in message
    assert "not a regular file" in message


@pytest.mark.parametrize("file", ["x" * 5000, "a/b", "..", "\0", "\ud800"])
def test_names_that_no_file_can_have(folder: Path, file: str) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"model.norm.weight": file}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "CheckpointError" not in (message := refused(folder))
    assert len(message) < 2000
    assert "model.safetensors.index.json" in message


@pytest.mark.parametrize("change", [{"merges": [["a"]]}, {"vocab": {}}, {"type": "Nonsense"}, {"vocab": {"a": 2**40}}])
def test_tokenizers_that_cannot_be(folder: Path, change: dict[str, Any]) -> None:
    edit_json(folder / "tokenizer.json", lambda tokenizer: tokenizer["model"].update(change))
    assert "tokenizer.json" in refused(folder)


def test_a_text_file_without_end(folder: Path) -> None:
    with (folder / "config.json").open("r+b") as file:
        file.truncate(1 << 40)
    assert "bytes, more than" in refused(folder)


def test_the_whole_one_is_taken(folder: Path) -> None:
    genlib.Engine(folder, threads=1).close()

"""The safetensors format: what is malformed is refused, whatever the damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from genlib.checkpoint.weights import Checkpoint
from genlib.errors import CheckpointError

NAME = "model.safetensors"
INDEX = "model.safetensors.index.json"


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def with_header(header: object, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    ("alter", "phrase"),
    [
        (lambda *_: b"", "truncated or not a safetensors file (0 bytes)"),
        (lambda *_: b"1234567", "truncated or not a safetensors file (7 bytes)"),
        (lambda _, d: (10**9).to_bytes(8, "little") + d, "truncated or not"),
        (lambda _, d: b"\x02\0\0\0\0\0\0\0{]" + d, "the header is not valid JSON"),
        (lambda _, d: b"\x02\0\0\0\0\0\0\0\xff\xfe" + d, "the header is not valid JSON"),
        (lambda _, d: with_header([1], d), "the header must be a JSON object, got list"),
        (lambda h, d: with_header(h, d[:-1]), "truncated: it has"),
        (lambda h, d: with_header(h, d + b"1"), "corrupt: 1 bytes belong to no tensor"),
        (lambda h, d: with_header(h | {"c": h["a"]}, d), "corrupt: "),
        (lambda h, d: with_header({"a": h["a"]}, d), "belong to no tensor"),
        (lambda h, d: with_header(h | {"a": h["a"] | {"shape": [3, 5]}}, d), "malformed: 'a'"),
        (lambda h, d: with_header(h | {"a": h["a"] | {"data_offsets": [24, 0]}}, d), "malformed: 'a'"),
        (lambda h, d: with_header(h | {"a": h["a"] | {"shape": [3, True]}}, d), "malformed: 'a'"),
        (lambda h, d: with_header(h | {"a": {}, "b": 7}, d), "malformed: 'a', 'b'"),
    ],
)
def test_corrupt_files_are_refused(tmp_path: Path, alter: Any, phrase: str) -> None:
    safetensors.numpy.save_file({"a": np.ones((3, 2), np.float32), "b": np.ones(5, np.float16)}, tmp_path / NAME)
    header, data = header_of((tmp_path / NAME).read_bytes())
    (tmp_path / NAME).write_bytes(alter(header, data))
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.open(tmp_path)
    assert f"{NAME}: " in caught.value.message
    assert phrase in caught.value.message


def test_a_name_that_appears_twice_is_refused(tmp_path: Path) -> None:
    entry = '{"dtype":"F32","shape":[],"data_offsets":[0,4]}'
    text = f'{{"a":{entry},"a":{entry}}}'.encode()
    (tmp_path / NAME).write_bytes(len(text).to_bytes(8, "little") + text + b"1234")
    with pytest.raises(CheckpointError, match="a name appears twice"):
        Checkpoint.open(tmp_path)


def test_an_index_must_agree_with_its_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"neither {NAME} nor {INDEX}"):
        Checkpoint.open(tmp_path)
    safetensors.numpy.save_file({"a": np.ones(2), "b": np.ones(2)}, tmp_path / "1.safetensors")
    (tmp_path / "2.safetensors").write_bytes(b"broken")
    homes = {"a": "1.safetensors", "c": "1.safetensors", "d": "2.safetensors", "e": "3.safetensors", "f": "../x"}
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": homes}))
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.open(tmp_path)
    assert caught.value.message.split("\n  - ")[1:] == [
        f"{INDEX}: '../x' must be the name of a file in the same folder",
        "1.safetensors: c is missing, but the index lists it here",
        "1.safetensors: b is unexpected, since the index does not list it here",
        "2.safetensors: truncated or not a safetensors file (6 bytes)",
        f"3.safetensors: the file is missing, but {INDEX} lists 1 tensors in it",
    ]
    for index in ({}, {"weight_map": {"a": 1}}, {"weight_map": []}):
        (tmp_path / INDEX).write_text(json.dumps(index))
        with pytest.raises(CheckpointError, match="`weight_map` must map tensor names to file names"):
            Checkpoint.open(tmp_path)


FUZZED = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "y": np.arange(4, dtype=np.float16)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.integers(0, 400),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3),
    st.booleans(),
)
@example(400, [], False)
def test_damage_is_an_error_or_a_good_load(
    tmp_path: Path, length: int, flips: list[tuple[int, int]], cut: bool
) -> None:
    data = bytearray(safetensors.numpy.save(FUZZED))
    for place, value in flips:
        data[place % len(data)] = value
    (tmp_path / NAME).write_bytes(data[:length] if cut else data)
    try:
        checkpoint = Checkpoint.open(tmp_path)
        checkpoint.digest()
        tensors = [checkpoint.tensor(name) for name in checkpoint.names]
    except CheckpointError:
        assert flips or cut
    else:
        assert all(tensor.to_float32().shape == checkpoint.shape(tensor.name) for tensor in tensors)

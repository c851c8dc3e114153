"""Rotary tables: transformers' angles, and the same bits on every machine."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from support.checkpoints import LLAMA3

from genlib.checkpoint.rope import Rope, inverse_frequencies, rope_tables

LLAMA3_ROPE = Rope(500000.0, "llama3", 8.0, 1.0, 4.0, 64)
LINEAR = {"rope_type": "linear", "factor": 3.0, "rope_theta": 1e6}


@pytest.mark.parametrize("head_size", [16, 64, 96, 128])
@pytest.mark.parametrize(
    ("fields", "rope"),
    [
        ({"rope_type": "default", "rope_theta": 1e4}, Rope(1e4)),
        (LINEAR, Rope(1e6, "linear", 3.0)),
        (LLAMA3, LLAMA3_ROPE),
    ],
)
def test_tables_are_those_of_transformers(head_size: int, fields: dict[str, Any], rope: Rope) -> None:
    import torch
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    theirs = LlamaRotaryEmbedding(LlamaConfig(head_dim=head_size, rope_parameters=dict(fields)))
    steps = inverse_frequencies(rope, head_size).view(np.int32) - theirs.inv_freq.numpy().view(np.int32)
    assert np.abs(steps).max() <= 2, "in units of the last place"
    want = theirs(torch.zeros(1), torch.arange(1000)[None])
    for table, other in zip(rope_tables(rope, head_size, 1000), want, strict=True):
        np.testing.assert_allclose(table, other[0, :, : head_size // 2].numpy(), atol=1.5e-4)


def test_tables_are_rounded_once() -> None:
    cos, sin = rope_tables(LLAMA3_ROPE, 64, 9000)
    assert cos.shape == sin.shape == (9000, 32)
    assert cos.dtype == sin.dtype == np.float32
    inverse = inverse_frequencies(LLAMA3_ROPE, 64)
    angles = (np.arange(9000, dtype=np.float32)[:, None] * inverse).astype(np.float64)
    np.testing.assert_array_almost_equal_nulp(cos, np.cos(angles).astype(np.float32), 1)
    np.testing.assert_array_almost_equal_nulp(sin, np.sin(angles).astype(np.float32), 1)


def test_tables_have_the_same_bits_on_every_machine() -> None:
    tables = b"".join(table.tobytes() for table in rope_tables(LLAMA3_ROPE, 64, 4096))
    assert hashlib.blake2b(tables, digest_size=8).hexdigest() == "0db026d4748c95d4"

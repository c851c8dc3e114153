"""The same checkpoints in transformers: logits and greedy text; beams are in test_beam_search.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.checkpoints import FAMILIES, LLAMA3, make_checkpoint
from support.model import all_logits
from transformers import LlamaForCausalLM

import genlib
from genlib.model.load import EMBEDDED

pytestmark = pytest.mark.usefixtures("one_torch_thread")
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}
VARIANTS = {
    **{family: {"family": family} for family in FAMILIES},
    "tied": {"family": "llama", "tie_word_embeddings": True},
    "biases": {"family": "llama", "attention_bias": True, "mlp_bias": True},
    "head size": {"family": "llama", "head_dim": 24},
    "llama3 rope": {"family": "llama", "rope_parameters": LLAMA3},
    "linear rope, old layout": {"family": "llama", "rope_parameters": LINEAR, "old_rope": True},
    "sharded": {"family": "qwen2", "shard_size": "40KB"},
}


def random_ids(n: int, vocabulary: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(2, vocabulary, n).tolist()


def their_logits(model, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].float().numpy()


@pytest.fixture(params=VARIANTS, ids=str)
def pair(request, tmp_path) -> tuple[Path, object]:
    return tmp_path, make_checkpoint(tmp_path, **VARIANTS[request.param])


def test_logits_and_greedy_text(pair):
    folder, theirs = pair
    ids = random_ids(100, theirs.config.vocab_size)
    np.testing.assert_allclose(all_logits(folder, ids), their_logits(theirs, ids), atol=1e-4, rtol=0)
    with genlib.Engine(folder, threads=1) as engine:
        state = engine.create_state(tokens=ids[:20])
        ours = genlib.generate_token(state, max_tokens=64, temperature=0, ignore_eos=True)
    banned = sorted(engine.eos_ids)
    prompt = torch.tensor([ids[:20]])
    out = theirs.generate(prompt, max_new_tokens=64, do_sample=False, eos_token_id=None, suppress_tokens=banned)
    assert list(ours.token_ids) == out[0, 20:].tolist()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_weights_are_read_exactly(tmp_path, dtype):
    make_checkpoint(tmp_path, "llama", dtype=dtype)
    theirs = LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    ids = random_ids(60, theirs.config.vocab_size)
    np.testing.assert_allclose(all_logits(tmp_path, ids), their_logits(theirs, ids), atol=1e-4, rtol=0)


def test_the_embedded_model():
    theirs = LlamaForCausalLM.from_pretrained(EMBEDDED, dtype=torch.float32)
    ids = random_ids(300, theirs.config.vocab_size)
    np.testing.assert_allclose(all_logits(None, ids), their_logits(theirs, ids), atol=1e-4, rtol=0)
    with genlib.Engine(threads=1) as engine:
        state = engine.create_state("Once upon a time")
        prompt = list(state.tokens)
        ours = genlib.generate_token(state, max_tokens=64, temperature=0)
    out = theirs.generate(torch.tensor([prompt]), max_new_tokens=64, do_sample=False)[0, len(prompt) :].tolist()
    assert list(ours.token_ids) == [t for t in out if t not in engine.eos_ids]


def test_one_beam_is_greedy_with_its_score():
    with genlib.Engine(threads=1) as engine:
        state = engine.create_state("The quick brown fox")
        best = genlib.beam_search(state, num_beams=1, max_length=20)
        greedy = genlib.generate_token(state, max_tokens=20, temperature=0)
    assert best.token_ids == (greedy.token_ids,)
    assert best.scores[0] == pytest.approx(sum(greedy.logprobs) / 20, rel=1e-5)

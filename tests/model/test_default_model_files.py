"""The shipped default model: small, whole, a Llama checkpoint in bfloat16, and a tokenizer that loses nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.paths import ROOT
from tokenizers import Tokenizer

FOLDER = ROOT / "genlib" / "default_model"
FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "MODEL_CARD.md",
)
TOKENIZER = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
BOS, EOS = 0, 1


def shapes() -> dict[str, list[int]]:
    """Names and shapes of a tied Llama of 6 layers, C = 192, H = 6, G = 2, D = 32, F = 512, V = 4096."""
    layer = {
        "input_layernorm": [192],
        "post_attention_layernorm": [192],
        "self_attn.q_proj": [192, 192],
        "self_attn.k_proj": [64, 192],
        "self_attn.v_proj": [64, 192],
        "self_attn.o_proj": [192, 192],
        "mlp.gate_proj": [512, 192],
        "mlp.up_proj": [512, 192],
        "mlp.down_proj": [192, 512],
    }
    names = {f"model.layers.{i}.{name}.weight": shape for i in range(6) for name, shape in layer.items()}
    return names | {"model.embed_tokens.weight": [4096, 192], "model.norm.weight": [192]}


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_there_and_none_is_large(name: str) -> None:
    assert 0 < (FOLDER / name).stat().st_size <= 8_000_000


def test_the_whole_folder_is_at_most_8_mb() -> None:
    assert sum((FOLDER / name).stat().st_size for name in FILES) <= 8_000_000


def test_config() -> None:
    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    expected = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 192,
        "num_hidden_layers": 6,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "intermediate_size": 512,
        "vocab_size": 4096,
        "max_position_embeddings": 1024,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "torch_dtype": "bfloat16",
    }
    assert {key: config[key] for key in expected} == expected


def test_tensors_have_the_names_and_shapes_of_the_config_in_bfloat16() -> None:
    with (FOLDER / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    header.pop("__metadata__")
    assert {name: entry["shape"] for name, entry in header.items()} == shapes()
    assert {entry["dtype"] for entry in header.values()} == {"BF16"}


def test_special_tokens_and_size() -> None:
    assert TOKENIZER.get_vocab_size() == 4096
    assert TOKENIZER.token_to_id("<|begin|>") == BOS
    assert TOKENIZER.token_to_id("<|end|>") == EOS
    assert TOKENIZER.encode("").ids == [BOS]


def test_every_byte_is_a_token() -> None:
    single = {token for token in TOKENIZER.get_vocab() if len(token) == 1}
    assert len(single) == 256


@given(st.text(max_size=200))
def test_any_text_comes_back(text: str) -> None:
    special = ("<|begin|>", "<|end|>")
    if any(token in text for token in special):
        return
    ids = TOKENIZER.encode(text).ids
    assert ids[0] == BOS
    assert TOKENIZER.decode(ids) == text


@pytest.mark.parametrize(
    "text", ["🙂👩‍👩‍👧‍👦", " leading", "two  spaces\n\n", "naïve café — “quoted”", "日本語", "\t\x00\x7f"]
)
def test_chosen_texts_come_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text).ids) == text


def test_common_words_are_one_token() -> None:
    assert len(TOKENIZER.encode("Once upon a time, there was a little girl", add_special_tokens=False).ids) == 10

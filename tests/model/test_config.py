"""config.json in both layouts, as transformers reads it; everything else is one clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.checkpoints import FAMILIES, LLAMA3, SIZES, make_checkpoint

from genlib.checkpoint.config import ModelConfig, rope_tables
from genlib.checkpoint.rope import Rope
from genlib.errors import CheckpointError

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    **SIZES,
    "intermediate_size": 80,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
}
LLAMA3_ROPE = Rope(500000.0, "llama3", 8.0, 1.0, 4.0, 64)


def load(folder: Path, fields: dict[str, Any], generation: dict[str, Any] | None = None) -> ModelConfig:
    (folder / "config.json").write_text(json.dumps(fields))
    (folder / "generation_config.json").unlink(missing_ok=True)
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    return ModelConfig.load(folder)


def qwen(version: int, **fields: Any) -> dict[str, Any]:
    return LLAMA | {"architectures": [f"Qwen{version}ForCausalLM"], "model_type": f"qwen{version}"} | fields


def mistral(**fields: Any) -> dict[str, Any]:
    return LLAMA | {"architectures": ["MistralForCausalLM"], "model_type": "mistral"} | fields


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("old_rope", [False, True])
def test_what_transformers_saves_is_read_alike(tmp_path: Path, family: str, old_rope: bool) -> None:
    model = make_checkpoint(
        tmp_path, family, rope_parameters=dict(LLAMA3), tie_word_embeddings=family == "qwen3", old_rope=old_rope
    )
    theirs, ours = model.config, ModelConfig.load(tmp_path)
    attention = model.model.layers[0].self_attn
    assert ours == ModelConfig(
        architecture=type(model).__name__,
        vocab_size=theirs.vocab_size,
        hidden=theirs.hidden_size,
        intermediate=theirs.intermediate_size,
        layers=theirs.num_hidden_layers,
        heads=theirs.num_attention_heads,
        kv_heads=theirs.num_key_value_heads,
        head_size=attention.head_dim,
        rms_eps=theirs.rms_norm_eps,
        max_positions=theirs.max_position_embeddings,
        tied=theirs.tie_word_embeddings,
        qkv_bias=attention.q_proj.bias is not None,
        o_bias=attention.o_proj.bias is not None,
        mlp_bias=model.model.layers[0].mlp.up_proj.bias is not None,
        qk_norm=hasattr(attention, "q_norm"),
        rope=LLAMA3_ROPE,
        bos_id=0,
        eos_ids=(1,),
        dtype="float32",
    )


def test_biases_of_llama_are_read(tmp_path: Path) -> None:
    config = load(tmp_path, LLAMA | {"attention_bias": True, "mlp_bias": True})
    assert (config.qkv_bias, config.o_bias, config.mlp_bias) == (True, True, True)


def test_where_a_file_is_silent_the_family_speaks(tmp_path: Path) -> None:
    fields = {k: v for k, v in LLAMA.items() if k != "num_key_value_heads"}
    config = load(tmp_path, fields)
    assert (config.kv_heads, config.head_size, config.rope, config.tied) == (6, 8, Rope(10000.0), False)
    assert config.dtype is None
    assert load(tmp_path, qwen(3)).head_size == 128
    assert load(tmp_path, qwen(3, head_dim=None)).head_size == 8


@pytest.mark.parametrize(
    ("fields", "rope"),
    [
        ({"rope_theta": 5e5}, Rope(5e5)),
        ({"rope_theta": 5e5, "rope_scaling": None}, Rope(5e5)),
        ({"rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}, Rope(5e5)),
        ({"rope_scaling": {"type": "linear", "factor": 4}}, Rope(1e4, "linear", 4.0)),
        ({"rope_scaling": {"type": "linear", "rope_type": "linear", "factor": 4}}, Rope(1e4, "linear", 4.0)),
        ({"rope_theta": 5e5, "rope_scaling": {**LLAMA3}}, LLAMA3_ROPE),
        ({"rope_parameters": LLAMA3}, LLAMA3_ROPE),
        ({"rope_parameters": LLAMA3, "rope_scaling": LLAMA3}, LLAMA3_ROPE),
        (
            {"rope_parameters": LLAMA3 | {"original_max_position_embeddings": None}},
            Rope(500000.0, "llama3", 8.0, 1.0, 4.0, 256),
        ),
    ],
)
def test_both_layouts_of_rope(tmp_path: Path, fields: dict[str, Any], rope: Rope) -> None:
    assert load(tmp_path, LLAMA | fields).rope == rope


@pytest.mark.parametrize(
    ("config", "generation", "want"),
    [
        (7, None, (7,)),
        ([7, 8, 7], None, (7, 8)),
        (7, {"eos_token_id": [3, 4]}, (3, 4)),
        (7, {"eos_token_id": 3}, (3,)),
        (7, {"temperature": 0.6}, (7,)),
        (None, None, ()),
    ],
)
def test_end_of_text_ids(tmp_path: Path, config: Any, generation: Any, want: tuple[int, ...]) -> None:
    assert load(tmp_path, LLAMA | {"eos_token_id": config}, generation).eos_ids == want


def test_windows_that_nobody_feels_are_accepted(tmp_path: Path) -> None:
    for fields in (
        mistral(sliding_window=None),
        mistral(sliding_window=256),
        mistral(),  # 4096, by default, of 256 positions
        qwen(2, sliding_window=64, use_sliding_window=False),
        qwen(2, sliding_window=64, use_sliding_window=True, max_window_layers=3),
        qwen(3, sliding_window=256, use_sliding_window=True, layer_types=["sliding_attention"] * 3),
        qwen(3, sliding_window=64, layer_types=["full_attention"] * 3),
    ):
        assert load(tmp_path, fields).layers == 3


FULL, SLIDING = "full_attention", "sliding_attention"


@pytest.mark.parametrize(
    ("fields", "phrase"),
    [
        (LLAMA | {"architectures": ["GemmaForCausalLM"]}, "`architectures` must name one of LlamaForCausalLM, "),
        (LLAMA | {"architectures": [[1]]}, "`architectures` must"),
        (LLAMA | {"architectures": []}, "`architectures` must"),
        (LLAMA | {"model_type": "gpt2"}, "`model_type` must be 'llama' to match `architectures`, got 'gpt2'"),
        (LLAMA | {"vocab_size": "many"}, "`vocab_size` must be an integer ≥ 1, got 'many'"),
        (LLAMA | {"hidden_size": True}, "`hidden_size` must be an integer ≥ 1, got True"),
        (LLAMA | {"num_hidden_layers": 0}, "`num_hidden_layers` must be an integer ≥ 1, got 0"),
        (LLAMA | {"num_key_value_heads": 4}, r"`num_key_value_heads` must divide `num_attention_heads` (6), got 4"),
        (LLAMA | {"hidden_size": 50}, "`num_attention_heads` must divide `hidden_size` (50), got 6; or set `head_dim`"),
        (LLAMA | {"head_dim": 7}, "`head_dim` must be even"),
        (LLAMA | {"rms_norm_eps": None}, "`rms_norm_eps` must be a number from 1e-20 to 1e20, got None"),
        (LLAMA | {"tie_word_embeddings": "yes"}, "`tie_word_embeddings` must be true or false, got 'yes'"),
        (LLAMA | {"eos_token_id": [1, 352]}, "`eos_token_id` must contain token ids from 0 to `vocab_size` - 1 (351)"),
        (LLAMA | {"bos_token_id": -1}, "`bos_token_id` must contain token ids"),
        (LLAMA | {"dtype": "float64"}, "`dtype` must be float32, bfloat16 or float16, got 'float64'"),
        (LLAMA | {"torch_dtype": "int8"}, "`torch_dtype` must be"),
        (LLAMA | {"hidden_act": "gelu"}, "`hidden_act` must be 'silu', got 'gelu'"),
        (LLAMA | {"quantization_config": {"bits": 4}}, "`quantization_config` must be absent, got {'bits': 4}; save"),
        (LLAMA | {"partial_rotary_factor": 0.5}, "`partial_rotary_factor` must be 1, got 0.5"),
        (LLAMA | {"rope_parameters": {"partial_rotary_factor": 0.5}}, "rope_parameters: `partial_rotary_factor` must"),
        (LLAMA | {"rope_scaling": {"type": "yarn", "factor": 4}}, "rope_scaling: `type` must be 'default', 'linear'"),
        (LLAMA | {"rope_parameters": {"rope_type": "dynamic"}}, "`rope_type` must be 'default', 'linear' or 'llama3'"),
        (LLAMA | {"rope_parameters": {FULL: {"rope_type": "default"}}}, f"`{FULL}` must be absent"),
        (LLAMA | {"rope_scaling": {"type": "linear"}}, "`factor` must be a number from 1 to 1e20, got nothing"),
        (LLAMA | {"rope_scaling": [1]}, "`rope_scaling` must be an object or null, got [1]"),
        (LLAMA | {"rope_theta": 1e4, "rope_parameters": LLAMA3}, "`rope_theta` must equal the outer `rope_theta`"),
        (LLAMA | {"rope_parameters": LLAMA3, "rope_scaling": {"type": "linear", "factor": 2}}, "agree with"),
        (LLAMA | {"rope_parameters": LLAMA3 | {"low_freq_factor": 4.0}}, "`high_freq_factor` must be above"),
        (
            mistral(sliding_window=64),
            "`sliding_window` must be null or at least `max_position_embeddings` (256), got 64",
        ),
        (mistral(max_position_embeddings=8192), "`sliding_window` must be null or at least"),
        (LLAMA | {"sliding_window": 64}, "`sliding_window` must be null or at least"),
        (qwen(2, sliding_window=64, use_sliding_window=True, max_window_layers=2), "`sliding_window` must be null"),
        (qwen(3, sliding_window=64, layer_types=[FULL, SLIDING, FULL]), "`sliding_window` must be null"),
        (qwen(3, layer_types=[FULL, "linear_attention", FULL]), "`layer_types` must list full_attention or"),
        (qwen(3, layer_types=[FULL]), "`layer_types` must list full_attention or"),
    ],
)
def test_what_is_refused_is_named(tmp_path: Path, fields: dict[str, Any], phrase: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path, fields)
    assert phrase in caught.value.message
    assert caught.value.message.count("\n  - ") == 1


@pytest.mark.parametrize("name", ["vocab_size", "hidden_size", "intermediate_size", "max_position_embeddings"])
def test_a_missing_field_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match=f"`{name}` must be an integer ≥ 1, got nothing"):
        load(tmp_path, {k: v for k, v in LLAMA.items() if k != name})


def test_all_that_is_wrong_is_one_error(tmp_path: Path) -> None:
    wrong = {
        "hidden_act": "gelu",
        "vocab_size": None,
        "rope_scaling": {"type": "yarn"},
        "quantization_config": {"a": 1},
    }
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path, LLAMA | wrong, {"eos_token_id": "x"})
    assert caught.value.message.count("\n  - ") == 5
    for name in ("hidden_act", "vocab_size", "type", "quantization_config", "generation_config.json: `eos_token_id`"):
        assert name in caught.value.message


def test_files_that_are_no_config(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json cannot be read: No such file"):
        ModelConfig.load(tmp_path)
    for text, phrase in (
        ("{", "not valid JSON"),
        ("[]", "must contain a JSON object"),
        ("[" * 10**5, "not valid JSON"),
    ):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(CheckpointError, match=phrase):
            ModelConfig.load(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
ROPE = st.fixed_dictionaries({}, optional={k: JSON | st.just(v) for k, v in LLAMA3.items()})
FIELDS = [*LLAMA, "rope_theta", "head_dim", "layer_types", "sliding_window", "max_window_layers", "torch_dtype"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=2), st.just({}) | ROPE, st.sampled_from([2, 3]))
def test_no_json_breaks_the_reader(tmp_path: Path, fields: dict[str, Any], rope: Any, version: int) -> None:
    try:
        config = load(tmp_path, qwen(version, use_sliding_window=True) | {"rope_parameters": rope} | fields)
    except CheckpointError:
        return
    cos, sin = rope_tables(config, 3)
    assert cos.shape == sin.shape == (3, config.head_size // 2)
    assert np.isfinite(cos).all()

"""A checkpoint's config.json and generation_config.json, read once and checked completely.

What is accepted means what it means in transformers; everything else is reported in one CheckpointError that names
every field at fault, its value and a remedy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from ..ops.arrays import Float32
from . import rope
from .fields import LARGEST_INT, Fields, is_there, raise_problems, read_object
from .rope import Rope, read_rope

DType = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True)
class _Family:
    """The defaults of transformers for an architecture. kv_heads, head_size, window: if config.json has no such field.

    kv_heads None: as many as heads. head_size None: C / H. A bias of None: given by a field of config.json.
    """

    model_type: str
    kv_heads: int | None = None
    head_size: int | None = None
    qkv_bias: bool | None = False
    o_bias: bool | None = False
    mlp_bias: bool | None = False
    qk_norm: bool = False
    window: int | None = None
    window_flag: bool = False  # whether `use_sliding_window` must be true for a window to be used


_FAMILIES = {
    "LlamaForCausalLM": _Family("llama", qkv_bias=None, o_bias=None, mlp_bias=None),
    "MistralForCausalLM": _Family("mistral", kv_heads=8, window=4096),
    "Qwen2ForCausalLM": _Family("qwen2", kv_heads=32, qkv_bias=True, window=4096, window_flag=True),
    "Qwen3ForCausalLM": _Family(
        "qwen3",
        kv_heads=32,
        head_size=128,
        qkv_bias=None,
        o_bias=None,
        qk_norm=True,
        window=4096,
        window_flag=True,
    ),
}


# The largest of each that makes sense: beyond them loops and buffers would be, before the weights are looked at.
_SIZES = {
    "vocab_size": 1 << 24,
    "hidden_size": 1 << 20,
    "num_hidden_layers": 1 << 12,
    "num_attention_heads": 1 << 14,
    "max_position_embeddings": 1 << 24,
}


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shapes and constants of a decoder. Letters as in docs/design.md §2.

    dtype: the dtype of the saved weights according to config.json, or None; the actual one is Checkpoint.dtype.
    eos_ids: may be empty; such a model never ends a text by itself.
    """

    architecture: str
    vocab_size: int  # V
    hidden: int  # C
    intermediate: int  # F
    layers: int  # L
    heads: int  # H
    kv_heads: int  # G
    head_size: int  # D
    rms_eps: float
    max_positions: int
    tied: bool
    qkv_bias: bool
    o_bias: bool
    mlp_bias: bool
    qk_norm: bool
    rope: Rope
    bos_id: int | None
    eos_ids: tuple[int, ...]
    dtype: DType | None

    @staticmethod
    def load(folder: Path) -> ModelConfig:
        """Reads config.json and, if it exists, generation_config.json, whose token ids take precedence.

        Raises CheckpointError, which lists everything that is missing, malformed or not supported.
        """
        problems: list[str] = []
        fields = Fields("config.json", read_object(folder / "config.json"), problems)
        path = folder / "generation_config.json"
        generation = Fields(path.name, read_object(path) if is_there(path) else {}, problems)
        config = _parse(fields, generation)
        raise_problems(folder, problems)
        return config


def rope_tables(config: ModelConfig, num_positions: int) -> tuple[Float32, Float32]:
    """cos and sin of the model's rotary embedding, each [num_positions, D / 2]; see rope.rope_tables."""
    return rope.rope_tables(config.rope, config.head_size, num_positions)


def _parse(fields: Fields, generation: Fields) -> ModelConfig:
    """The config; usable only if no problem was added."""
    architecture, family = _family(fields)
    vocab_size, hidden, layers, heads, max_positions = (fields.integer(n, most=most) for n, most in _SIZES.items())
    sizes_hold = not fields.problems
    ids_below = vocab_size if sizes_hold else LARGEST_INT
    kv_heads, head_size = _head_shape(fields, family, hidden, heads)
    qkv_bias, o_bias, mlp_bias = _biases(fields, family)
    bos, eos = (_ids(name, ids_below, generation, fields) for name in ("bos_token_id", "eos_token_id"))
    config = ModelConfig(
        architecture=architecture,
        vocab_size=vocab_size,
        hidden=hidden,
        intermediate=fields.integer("intermediate_size"),
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_size=head_size,
        rms_eps=fields.number("rms_norm_eps"),
        max_positions=max_positions,
        tied=fields.flag("tie_word_embeddings"),
        qkv_bias=qkv_bias,
        o_bias=o_bias,
        mlp_bias=mlp_bias,
        qk_norm=family.qk_norm,
        rope=read_rope(fields, max_positions),
        bos_id=bos[0] if bos else None,
        eos_ids=eos,
        dtype=_dtype(fields),
    )
    if sizes_hold:
        _check_shapes(fields, config)
        _check_window(fields, family, config)
    _check_unsupported(fields)
    return config


def _head_shape(fields: Fields, family: _Family, hidden: int, heads: int) -> tuple[int, int]:
    """G and D. If null, they follow from the other sizes; if missing, they are the family's defaults."""
    kv_heads = heads if "num_key_value_heads" in fields.values else family.kv_heads or heads
    head_size = None if "head_dim" in fields.values else family.head_size
    return (
        fields.integer("num_key_value_heads", default=kv_heads),
        fields.integer("head_dim", default=head_size or max(hidden // heads, 1)),
    )


def _biases(fields: Fields, family: _Family) -> tuple[bool, bool, bool]:
    attention, mlp = fields.flag("attention_bias"), fields.flag("mlp_bias")
    return (
        attention if family.qkv_bias is None else family.qkv_bias,
        attention if family.o_bias is None else family.o_bias,
        mlp if family.mlp_bias is None else family.mlp_bias,
    )


def _ids(name: str, ids_below: int, *sources: Fields) -> tuple[int, ...]:
    """The token ids of the first source that has the field."""
    found = (source.ids(name, ids_below) for source in sources)
    return next((ids for ids in found if ids is not None), ())


def _family(fields: Fields) -> tuple[str, _Family]:
    names = fields.values.get("architectures")
    known = ", ".join(_FAMILIES)
    if not isinstance(names, list) or len(names) != 1 or str(names[0]) not in _FAMILIES:
        fields.refuse("architectures", f"name one of {known}", "other models are not supported")
        return "", _Family("")
    family = _FAMILIES[names[0]]
    if fields.values.get("model_type", family.model_type) != family.model_type:
        fields.refuse("model_type", f"be {family.model_type!r} to match `architectures`")
    return names[0], family


def _dtype(fields: Fields) -> DType | None:
    name = "dtype" if fields.values.get("dtype") is not None else "torch_dtype"
    value = fields.values.get(name)
    if value is not None and value not in ("float32", "bfloat16", "float16"):
        fields.refuse(name, "be float32, bfloat16 or float16", "convert the weights to one of these")
        return None
    return cast("DType | None", value)


def _check_shapes(fields: Fields, config: ModelConfig) -> None:
    if config.heads % config.kv_heads:
        fields.refuse("num_key_value_heads", f"divide `num_attention_heads` ({config.heads})")
    if fields.values.get("head_dim") is None and config.hidden % config.heads:
        fields.refuse("num_attention_heads", f"divide `hidden_size` ({config.hidden})", "or set `head_dim`")
    elif config.head_size % 2:
        fields.refuse("head_dim", f"be even for rotary embedding (the head size is {config.head_size})")


def _check_unsupported(fields: Fields) -> None:
    if fields.values.get("hidden_act", "silu") not in ("silu", "swish"):
        fields.refuse("hidden_act", "be 'silu'", "other activations are not supported")
    if fields.values.get("quantization_config"):
        remedy = "save the model dequantised to float32, bfloat16 or float16"
        fields.refuse("quantization_config", "be absent", remedy)
    if fields.values.get("partial_rotary_factor") not in (None, 1):
        fields.refuse("partial_rotary_factor", "be 1", "partial rotary embedding is not supported")


def _check_window(fields: Fields, family: _Family, config: ModelConfig) -> None:
    """Refuses a sliding window that would affect a sequence of `max_position_embeddings` tokens."""
    values = fields.values
    kinds = values.get("layer_types")
    window = values.get("sliding_window", family.window)
    active = window is not None
    if family.window_flag:
        first = fields.integer("max_window_layers", default=28) if values.get("max_window_layers") != 0 else 0
        active = fields.flag("use_sliding_window") and first < config.layers
    if kinds is not None:
        ok = isinstance(kinds, list) and len(kinds) == config.layers
        if not ok or any(kind not in ("full_attention", "sliding_attention") for kind in kinds):
            rule = f"list full_attention or sliding_attention for each of the {config.layers} layers"
            fields.refuse("layer_types", rule, "other kinds of layers are not supported")
            return
        active = "sliding_attention" in kinds or (active and not family.window_flag)
    if active and (isinstance(window, bool) or not isinstance(window, int) or window < config.max_positions):
        limit = f"be null or at least `max_position_embeddings` ({config.max_positions})"
        remedy = "sliding windows are not supported; lower `max_position_embeddings` to stay within the window"
        fields.refuse("sliding_window", limit, remedy)

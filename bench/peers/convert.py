"""Writes the benchmarks' checkpoints in the peers' own formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from checkpoints import Shape

Array = npt.NDArray[Any]


def write_gguf(shape: Shape, tensors: dict[str, Array], folder: Path) -> None:
    """model.gguf, without a vocabulary. `tensors` as in Hugging Face's layout; uint16 are the bits of bfloat16."""
    from gguf import GGMLQuantizationType, GGUFWriter  # noqa: PLC0415 (llama.cpp may be missing)

    writer = GGUFWriter(folder / "model.gguf", "llama")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.C)
    writer.add_block_count(shape.L)
    writer.add_feed_forward_length(shape.F)
    writer.add_head_count(shape.H)
    writer.add_head_count_kv(shape.G)
    writer.add_key_length(shape.D)
    writer.add_value_length(shape.D)
    writer.add_rope_dimension_count(shape.D)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.rms_eps)
    writer.add_vocab_size(shape.V)
    writer.add_tokenizer_model("none")
    for name, given in tensors.items():
        rotated = name.endswith(("q_proj.weight", "k_proj.weight"))
        values = _interleaved(given, shape.D) if rotated else given
        if values.dtype == np.float32:
            writer.add_tensor(_gguf_name(name), values)
        elif values.ndim == 1:  # vectors are float32 always
            writer.add_tensor(_gguf_name(name), (values.astype(np.uint32) << 16).view(np.float32))
        else:
            writer.add_tensor(_gguf_name(name), values.view(np.uint8), raw_dtype=GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _gguf_name(name: str) -> str:
    names = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "model.layers": "blk",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.o_proj": "attn_output",
        "self_attn.": "attn_",
        "mlp.": "ffn_",
        "_proj": "",
    }
    for ours, theirs in names.items():
        name = name.replace(ours, theirs)
    return name


def _interleaved(weight: Array, D: int) -> Array:
    """llama.cpp rotates the pairs (2i, 2i + 1) of a head where Hugging Face rotates (i, i + D / 2)."""
    paired = weight.reshape(-1, 2, D // 2, weight.shape[1]).swapaxes(1, 2)
    return np.ascontiguousarray(paired).reshape(weight.shape)


def write_ctranslate2(shape: Shape, tensors: dict[str, Array], folder: Path) -> None:
    """ct2/, with each token's id as its name. Float32 only."""
    from ctranslate2.specs import TransformerDecoderModelSpec, common_spec  # noqa: PLC0415 (it may be missing)

    spec = TransformerDecoderModelSpec.from_config(
        shape.L,
        shape.H,
        activation=common_spec.Activation.SWISH,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=False,
        rotary_base=shape.rope_theta,
        num_heads_kv=shape.G,
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = decoder.projection.weight = tensors["model.embed_tokens.weight"]
    decoder.layer_norm.gamma = tensors["model.norm.weight"]
    for i, layer in enumerate(decoder.layer):
        own = {name.split(".", 3)[3]: t for name, t in tensors.items() if name.startswith(f"model.layers.{i}.")}
        attention, ffn = layer.self_attention, layer.ffn
        attention.layer_norm.gamma = own["input_layernorm.weight"]
        attention.linear[0].weight = np.concatenate([own[f"self_attn.{x}_proj.weight"] for x in "qkv"])
        attention.linear[1].weight = own["self_attn.o_proj.weight"]
        ffn.layer_norm.gamma = own["post_attention_layernorm.weight"]
        ffn.linear_0.weight = own["mlp.gate_proj.weight"]
        ffn.linear_0_noact.weight = own["mlp.up_proj.weight"]
        ffn.linear_1.weight = own["mlp.down_proj.weight"]
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = "0"
    spec.config.layer_norm_epsilon = shape.rms_eps
    spec.register_vocabulary([str(i) for i in range(shape.V)])
    spec.validate()
    spec.optimize()
    (folder / "ct2").mkdir(exist_ok=True)
    spec.save(str(folder / "ct2"))

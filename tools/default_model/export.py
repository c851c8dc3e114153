"""Write a trained decoder as a Hugging Face Llama checkpoint in bfloat16.

`python export.py --run FOLDER --to genlib/default_model` reads FOLDER/checkpoint.pt and FOLDER/tokenizer.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from layout import to_llama
from model import Shape
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from vocabulary import BOS, BOS_ID, EOS, EOS_ID

MOST_BYTES = 8_000_000


def config_of(shape: Shape) -> dict[str, object]:
    """config.json of the Llama family."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": shape.C,
        "num_hidden_layers": shape.L,
        "num_attention_heads": shape.H,
        "num_key_value_heads": shape.G,
        "head_dim": shape.D,
        "intermediate_size": shape.F,
        "vocab_size": shape.V,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.eps,
        "rope_theta": shape.theta,
        "rope_scaling": None,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "bos_token_id": BOS_ID,
        "eos_token_id": EOS_ID,
        "torch_dtype": "bfloat16",
        "use_cache": True,
    }


def tensors_of(run: Path, shape: Shape) -> dict[str, Tensor]:
    """The weights of a training run's folder by their names in the Llama layout, rounded to bfloat16."""
    saved = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    tensors = to_llama(saved["model"], shape)
    return {name: tensor.to(torch.bfloat16).clone().contiguous() for name, tensor in tensors.items()}


def write_json(path: Path, value: dict[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def export(run: Path, to: Path) -> None:
    """All files of the checkpoint but the model card. Raises ValueError for weights above 8 MB."""
    shape = Shape()
    to.mkdir(parents=True, exist_ok=True)
    write_json(to / "config.json", config_of(shape))
    ids: dict[str, object] = {"bos_token_id": BOS_ID, "eos_token_id": EOS_ID}
    write_json(to / "generation_config.json", ids | {"do_sample": True, "temperature": 0.7, "top_p": 1.0})
    write_json(
        to / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": BOS,
            "eos_token": EOS,
            "add_bos_token": True,
            "add_eos_token": False,
            "clean_up_tokenization_spaces": False,
            "model_max_length": shape.context,
        },
    )
    Tokenizer.from_file(str(run / "tokenizer.json")).save(str(to / "tokenizer.json"))
    weights = to / "model.safetensors"
    save_file(tensors_of(run, shape), str(weights), metadata={"format": "pt"})
    weights.chmod(0o644)
    if weights.stat().st_size > MOST_BYTES:
        raise ValueError(f"{weights} has {weights.stat().st_size} bytes, more than {MOST_BYTES}; shrink the shape")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    export(options.run, options.to)


if __name__ == "__main__":
    main()

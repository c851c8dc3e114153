"""Makes the checkpoints that the end-to-end benchmarks run on: random Llamas, for genlib and for its peers.

    python bench/checkpoints.py [--folder FOLDER] [--shape 135M] [--dtype float32]

For each shape and dtype a folder with config.json, model.safetensors and tokenizer.json (Hugging Face's layout),
model.gguf (llama.cpp's) and, in float32, ct2/ (CTranslate2's); the last two only if the packages that write them
are installed. Weights are equal in all; in bfloat16 they are those of float32, rounded.

Standard deviations keep activations near 1 and give logits whose softmax at temperature 0.8 has an entropy of about
4 nats, as text has, so that samplers meet a realistic number of candidates. Attention adds half of what the rest does:
with more, all positions become alike and one token repeats for ever, and equal greedy tokens would not prove that two
libraries run the same model. The row of EOS is zero: its logit is 0, far below the largest, and no sampler and no
search ever draws it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from peers.convert import write_ctranslate2, write_gguf

Array = npt.NDArray[Any]

DTYPES = ("float32", "bfloat16")
EOS = 0
ENTROPY = 4.0  # nats, at TEMPERATURE
TEMPERATURE = 0.8
ATTENTION_GAIN = 0.5


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama with tied embeddings. Letters: docs/design.md §2."""

    C: int
    L: int
    H: int
    G: int
    D: int
    F: int
    V: int
    context: int = 4096
    rms_eps: float = 1e-5
    rope_theta: float = 10000.0

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Names in order, as Hugging Face gives them, and shapes; matrices are [out, in]."""
        shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.V, self.C)}
        for i in range(self.L):
            layer = {
                "input_layernorm": (self.C,),
                "self_attn.q_proj": (self.H * self.D, self.C),
                "self_attn.k_proj": (self.G * self.D, self.C),
                "self_attn.v_proj": (self.G * self.D, self.C),
                "self_attn.o_proj": (self.C, self.H * self.D),
                "post_attention_layernorm": (self.C,),
                "mlp.gate_proj": (self.F, self.C),
                "mlp.up_proj": (self.F, self.C),
                "mlp.down_proj": (self.C, self.F),
            }
            shapes |= {f"model.layers.{i}.{name}.weight": shape for name, shape in layer.items()}
        return shapes | {"model.norm.weight": (self.C,)}

    def num_weights(self) -> int:
        """All are read once per step: the embeddings as the head."""
        return sum(math.prod(shape) for shape in self.tensors().values())


SHAPES = {
    "135M": Shape(C=576, L=30, H=9, G=3, D=64, F=1536, V=49152),
    "3M": Shape(C=192, L=6, H=6, G=2, D=32, F=512, V=4096),
}


def default_folder() -> Path:
    """In the user's cache, never in the repository."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "genlib-bench"


def checkpoint(shape: str, dtype: str, folder: Path | None = None) -> Path:
    """The folder of a checkpoint. What is missing of it is made."""
    target = (folder or default_folder()) / f"{shape}-{dtype}"
    target.mkdir(parents=True, exist_ok=True)
    writers = {"hf": _write_hf}
    if importlib.util.find_spec("gguf"):
        writers["gguf"] = write_gguf
    if dtype == "float32" and importlib.util.find_spec("ctranslate2"):
        writers["ct2"] = write_ctranslate2
    missing = [name for name in writers if not (target / f"{name}.done").exists()]
    tensors = _tensors(SHAPES[shape], dtype) if missing else {}
    for name in missing:
        writers[name](SHAPES[shape], tensors, target)
        (target / f"{name}.done").touch()
    return target


def _tensors(shape: Shape, dtype: str) -> dict[str, Array]:
    """By Hugging Face's names; float32, or the bits of bfloat16 as uint16."""
    narrow = _bfloat16 if dtype == "bfloat16" else np.asarray
    return {name: narrow(values) for name, values in _weights(shape)}


def _write_hf(shape: Shape, tensors: dict[str, Array], folder: Path) -> None:
    _write_config(shape, folder)
    _write_tokenizer(shape, folder)
    _write_safetensors(tensors, folder / "model.safetensors")


def _weights(shape: Shape) -> Iterator[tuple[str, Array]]:
    """Float32 tensors. With logits of standard deviation s, the entropy is about log V − (s / temperature)² / 2."""
    generator = np.random.default_rng(0)
    spread = TEMPERATURE * math.sqrt(2 * (math.log(shape.V) - ENTROPY))
    for name, size in shape.tensors().items():
        if len(size) == 1:
            yield name, np.ones(size, np.float32)
            continue
        values = generator.standard_normal(size, np.float32) / np.float32(math.sqrt(size[1]))
        if "o_proj" in name:
            values *= np.float32(ATTENTION_GAIN)
        if "embed" in name:
            values *= np.float32(spread)
            values[EOS] = 0
        yield name, values


def _bfloat16(values: Array) -> Array:
    """Bits of the nearest bfloat16, to even on a tie; uint16. All values are finite."""
    bits = values.view(np.uint32)
    rounded: Array = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return rounded


def _write_config(shape: Shape, folder: Path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.V,
        "hidden_size": shape.C,
        "intermediate_size": shape.F,
        "num_hidden_layers": shape.L,
        "num_attention_heads": shape.H,
        "num_key_value_heads": shape.G,
        "head_dim": shape.D,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.rms_eps,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": True,
        "bos_token_id": EOS,
        "eos_token_id": EOS,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2))


def _write_tokenizer(shape: Shape, folder: Path) -> None:
    """Byte-level, without merges. What the bytes leave of the vocabulary is never made from text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # noqa: PLC0415 (peers need it not)

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    fillers = [f"t{i}" for i in range(shape.V - 1 - len(alphabet))]
    tokens = ["<|end|>", *alphabet, *fillers]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>"])
    tokenizer.save(str(folder / "tokenizer.json"))


def _write_safetensors(tensors: dict[str, Array], path: Path) -> None:
    names = {np.dtype(np.float32): "F32", np.dtype(np.uint16): "BF16"}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, values in tensors.items():
        begin, end = end, end + values.nbytes
        header[name] = {"dtype": names[values.dtype], "shape": values.shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 64)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for values in tensors.values():
            file.write(values.tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=default_folder())
    parser.add_argument("--shape", choices=SHAPES, action="append", help="all, unless given")
    parser.add_argument("--dtype", choices=DTYPES, action="append", help="all, unless given")
    arguments = parser.parse_args()
    for shape in arguments.shape or SHAPES:
        for dtype in arguments.dtype or DTYPES:
            print(checkpoint(shape, dtype, arguments.folder))


if __name__ == "__main__":
    main()

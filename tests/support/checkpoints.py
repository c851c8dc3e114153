"""Small random checkpoints as transformers saves them, and tokenizers trained on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

BEGIN, END = "<|begin|>", "<|end|>"
STORIES = [
    "Once upon a time there was a small fox who wanted to see the sea.",
    "The quick brown fox jumps over the lazy dog, and the dog sleeps on.",
    "Über den Wolken 🦊 é à la carte — ça va?",
]
SIZES = {
    "vocab_size": 352,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
FAMILIES = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def make_checkpoint(
    folder: Path,
    family: str = "llama",
    *,
    dtype: str = "float32",
    shard_size: str | None = None,
    old_rope: bool = False,
    seed: int = 0,
    **settings: Any,
) -> Any:
    """Saves a random model with a byte-level tokenizer to `folder` and returns transformers' model.

    settings: fields of config.json over SIZES. shard_size: such as "40KB", for several files. old_rope: writes
    `rope_theta` and `rope_scaling` in the place of `rope_parameters`. All parameters are random, biases and norms
    too, so that one which is left out shows.
    """
    import torch
    import transformers

    defaults: dict[str, Any] = {"qwen3": {"head_dim": 16}, "mistral": {"sliding_window": None}}.get(family, {})
    config = getattr(transformers, f"{FAMILIES[family]}Config")(**SIZES | defaults | settings)
    model = getattr(transformers, f"{FAMILIES[family]}ForCausalLM")(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator) * 0.15
            parameter.copy_(noise + 1 if "norm" in name else noise)
    model.to(getattr(torch, dtype))
    model.save_pretrained(folder, **({} if shard_size is None else {"max_shard_size": shard_size}))
    byte_level_tokenizer().save(str(folder / "tokenizer.json"))
    if old_rope:
        edit_json(folder / "config.json", _older_rope)
    return model


def _older_rope(config: dict[str, Any]) -> None:
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else {"type": rope.pop("rope_type"), **rope}


def edit_json(path: Path, change: Any) -> None:
    """Rewrites a JSON file: `change` is a dict of fields to set, or a function that alters the object."""
    value = json.loads(path.read_text()) if path.exists() else {}
    if callable(change):
        change(value)
    else:
        value.update(change)
    path.write_text(json.dumps(value))


def byte_level_tokenizer(*, bos: bool = True, vocab_size: int = 320, alphabet: bool = True) -> Tokenizer:
    """Byte-level BPE as in GPT-2; <|begin|> is id 0 and, with `bos`, put first; <|end|> is id 1."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[BEGIN, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()) if alphabet else [],
        show_progress=False,
    )
    tokenizer.train_from_iterator(STORIES, trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{BEGIN} $A {END}", special_tokens=[(BEGIN, 0), (END, 1)]
        )
    return tokenizer


def sentencepiece_tokenizer(*, prefix: str = "normalizer") -> Tokenizer:
    """BPE with "▁" for spaces and <0xNN> for other bytes, as Llama 2 has it; <unk>, <s>, </s> are ids 0 to 2.

    prefix: where the space before a text is made: "normalizer", "metaspace", or "none".
    """
    vocab = {token: i for i, token in enumerate(["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))])}
    merges = []
    for piece in ["▁", *"abcdefghijklmnopqrstuvwxyzOT.,<>/|", "é"]:
        vocab[piece] = len(vocab)
    for left, right in [("t", "h"), ("th", "e"), ("▁", "the"), ("▁", "a"), ("o", "n"), ("▁", "▁"), ("O", "n")]:
        merges.append((left, right))
        vocab[left + right] = len(vocab)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if prefix == "normalizer":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        scheme = "first" if prefix == "metaspace" else "never"
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    if prefix != "none":
        steps.append(decoders.Strip(" ", 1, 0))
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer

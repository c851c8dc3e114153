"""Ten unpicked samples of a checkpoint folder: temperature 0.7, top-p 1, seeds 0 to 9, plain torch, no cache.

`python samples.py genlib/default_model` prints them as Markdown, as the model card shows them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from layout import from_llama
from model import Decoder, Shape
from safetensors.torch import load_file
from tokenizers import Tokenizer
from vocabulary import BOS_ID, EOS_ID

PROMPTS = (
    "Once upon a time", "The quick brown fox", "", "One day, a girl named", "Once upon a time",
    "The quick brown fox jumps over the lazy dog", "My name is", "It was a rainy morning", "",
    "Once upon a time",
)


def load_folder(folder: Path) -> Decoder:
    """A decoder in float32 from the files that `export.py` wrote."""
    model = Decoder(Shape())
    tensors = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
    model.load_state_dict(from_llama(tensors, model.shape))
    return model


def sample(model: Decoder, ids: list[int], seed: int, tokens: int, temperature: float) -> list[int]:
    """`ids` and `tokens` more; after an end of text, the next story begins with BOS, as in training."""
    draw = torch.Generator().manual_seed(seed)
    ids = list(ids)
    with torch.no_grad():
        for _ in range(tokens):
            logits = model(torch.tensor([ids]))[0, -1] / temperature
            ids.append(int(torch.multinomial(logits.softmax(-1), 1, generator=draw)))
            if ids[-1] == EOS_ID:
                ids.append(BOS_ID)
    return ids


def show(text: str) -> str:
    """A text as a Markdown quotation."""
    return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokens", type=int, default=170)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--prompt", action="append", help="instead of the card's ten prompts")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(str(options.folder / "tokenizer.json"))
    model = load_folder(options.folder)
    for seed, prompt in enumerate(options.prompt or PROMPTS):
        ids = sample(model, tokenizer.encode(prompt).ids, seed, options.tokens, options.temperature)
        text = tokenizer.decode(ids[1:], skip_special_tokens=False)
        text = text.replace("<|end|><|begin|>", "\n\n*(end of text; the next one)*\n\n")
        print(f"**Seed {seed}, prompt {prompt!r}**\n\n{show(text)}\n")


if __name__ == "__main__":
    main()

"""Held-out loss of a checkpoint folder, with the weights as they are shipped.

`python evaluate.py genlib/default_model` takes stories of a seed that the training never used, each alone
(BOS, story, EOS), and prints nats per token and bits per byte of text; then nats per token by position in rows of
the whole context, which shows that late positions are as good as early ones.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from corpus import Batches, Corpus, tokenize
from model import Decoder
from samples import load_folder
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from train import HELD_OUT_SEED


def nats(model: Decoder, rows: Tensor) -> Tensor:
    """Loss of every token of rows[B, T + 1] but the first: [B, T]."""
    with torch.no_grad():
        logits = model(rows[:, :-1])
    return functional.cross_entropy(logits.transpose(1, 2), rows[:, 1:], reduction="none")


def alone(model: Decoder, corpus: Corpus) -> tuple[float, float]:
    """Nats per token and bits per byte, every story by itself."""
    ends = [*corpus.starts[1:].tolist(), len(corpus.tokens)]
    total, count = 0.0, 0
    for start, end in zip(corpus.starts.tolist(), ends, strict=True):
        losses = nats(model, torch.from_numpy(corpus.tokens[start:end].astype("int64"))[None])
        total, count = total + losses.sum().item(), count + losses.numel()
    return total / count, total / math.log(2) / corpus.text_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stories", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load_folder(options.folder)
    corpus = tokenize(Tokenizer.from_file(str(options.folder / "tokenizer.json")), HELD_OUT_SEED, options.stories)
    per_token, per_byte = alone(model, corpus)
    print(f"{options.stories} stories, {len(corpus.tokens)} tokens, {corpus.text_bytes} bytes")
    print(f"{per_token:.4f} nats per token, {per_byte:.4f} bits per byte")
    losses = nats(model, Batches(corpus, 0).take(16, model.shape.context)).mean(0)
    for start in range(0, model.shape.context, 256):
        print(f"positions {start} to {start + 255}: {losses[start : start + 256].mean().item():.4f} nats per token")


if __name__ == "__main__":
    main()

"""Train the default model: corpus, tokenizer, decoder; then `export.py` writes the checkpoint's folder.

The learning rate follows the share of the budget (minutes or steps) that is used: a short warm-up, then a
cosine. Most rows are short for speed; every eighth step has rows of the whole context, so that all positions
are learned. The whole state is saved every few minutes, and `--resume` goes on from there.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from pathlib import Path

import torch
from corpus import Batches, Corpus, tokenize
from model import Decoder, Shape
from stories import stories
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from vocabulary import train_tokenizer

HELD_OUT_SEED = 1_000_003


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: tokenizer, tokens, checkpoint")
    parser.add_argument("--minutes", type=float, help="budget of time")
    parser.add_argument("--steps", type=int, help="budget of steps (repeatable, unlike minutes)")
    parser.add_argument("--stories", type=int, default=250_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--length", type=int, default=256, help="tokens of a short row")
    parser.add_argument("--rate", type=float, default=3e-3, help="peak learning rate")
    parser.add_argument("--save-minutes", type=float, default=4.0)
    parser.add_argument("--compile", action="store_true", help="fuse with torch.compile (needs a C++ compiler)")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    if (options.minutes is None) == (options.steps is None):
        parser.error("give one budget: --minutes or --steps")
    return options


def loss_of(model: Decoder, rows: Tensor) -> Tensor:
    """Mean nats per token of int64 rows [B, T + 1]."""
    with torch.autocast(rows.device.type, torch.bfloat16):
        logits = model(rows[:, :-1])
    return functional.cross_entropy(logits.flatten(0, 1).float(), rows[:, 1:].flatten())


def held_out(model: Decoder, corpus: Corpus, length: int, device: str) -> float:
    """Mean nats per token over rows of the held-out corpus."""
    batches, losses = Batches(corpus, 0), []
    with torch.no_grad():
        for _ in range(16):
            losses.append(loss_of(model, batches.take(max(1, 4096 // length), length).to(device)).item())
    return sum(losses) / len(losses)


def make_optimizer(model: Decoder, rate: float) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.ndim == 2]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-9, fused=True)


def rate_at(progress: float, step: int, peak: float) -> float:
    """Linear over the first 150 steps, then a cosine from `peak` to 2 % of it."""
    cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return peak * min(1.0, (step + 1) / 150) * cosine


def prepare(options: argparse.Namespace) -> tuple[Tokenizer, Corpus, Corpus]:
    options.out.mkdir(parents=True, exist_ok=True)
    path, tokens = options.out / "tokenizer.json", options.out / "corpus.npz"
    if options.resume:
        tokenizer, corpus = Tokenizer.from_file(str(path)), Corpus.load(tokens)
    else:
        tokenizer = train_tokenizer(itertools.islice(stories(options.seed), 40_000))
        tokenizer.save(str(path))
        corpus = tokenize(tokenizer, options.seed, options.stories)
        corpus.save(tokens)
    print(f"{len(corpus.starts)} stories, {len(corpus.tokens)} tokens, {corpus.text_bytes} bytes", flush=True)
    return tokenizer, corpus, tokenize(tokenizer, HELD_OUT_SEED, 2000)


class Run:
    """One training run: owns model, optimizer and the clock, and saves itself whole."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        torch.manual_seed(options.seed)
        self.model = Decoder(Shape()).to(options.device)
        self.optimizer = make_optimizer(self.model, options.rate)
        self.loss_of = torch.compile(loss_of, dynamic=False) if options.compile else loss_of
        self.step, self.elapsed, self.seen = 0, 0.0, 0
        if options.resume:
            saved = torch.load(options.out / "checkpoint.pt", map_location=options.device, weights_only=True)
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.step, self.elapsed, self.seen = saved["step"], saved["elapsed"], saved["seen"]

    def progress(self) -> float:
        if self.options.steps is not None:
            return float(self.step / self.options.steps)
        return float(self.elapsed / (60 * self.options.minutes))

    def save(self) -> None:
        """Written beside the old file and moved over it, so that a crash leaves one whole file."""
        path = self.options.out / "checkpoint.pt"
        part = path.with_suffix(".part")
        torch.save(
            {
                "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                "step": self.step, "elapsed": self.elapsed, "seen": self.seen,
            },
            part,
        )
        part.replace(path)

    def update(self, rows: Tensor) -> float:
        """One optimizer step; the loss before it."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.progress(), self.step, self.options.rate)
        loss = self.loss_of(self.model, rows)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.seen += rows.shape[0] * (rows.shape[1] - 1)
        return loss.item()


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    _, corpus, unseen = prepare(options)
    run = Run(options)
    batches = Batches(corpus, options.seed + run.step)
    last_save = mark = time.monotonic()
    mean = 0.0
    while run.progress() < 1.0:
        length = run.model.shape.context if run.step % 8 == 7 else options.length
        rows = batches.take(max(1, options.batch_tokens // length), length).to(options.device)
        loss = run.update(rows)
        now = time.monotonic()
        run.elapsed, mark = run.elapsed + now - mark, now
        mean = loss if mean == 0.0 else 0.98 * mean + 0.02 * loss
        if run.step % 25 == 0:
            print(f"step {run.step} seen {run.seen} loss {mean:.4f} at {run.elapsed:.0f} s "
                  f"({run.seen / run.elapsed:.0f} tokens/s)", flush=True)
        if now - last_save > 60 * options.save_minutes:
            run.save()
            last_save = now
            print(f"held out {held_out(run.model, unseen, 256, options.device):.4f}", flush=True)
    run.save()
    for length in (256, 1024):
        print(f"held out, rows of {length}: {held_out(run.model, unseen, length, options.device):.4f} nats/token")


if __name__ == "__main__":
    main()

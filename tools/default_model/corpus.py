"""The corpus as tokens: documents of BOS, story, EOS in one array, and batches of rows that begin with a document."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from stories import stories
from tokenizers import Tokenizer
from torch import Tensor
from vocabulary import BOS_ID, EOS_ID


@dataclass(frozen=True, slots=True)
class Corpus:
    """All documents end to end, the index at which each starts, and the bytes of their texts."""

    tokens: NDArray[np.uint16]
    starts: NDArray[np.int64]
    text_bytes: int

    def save(self, path: Path) -> None:
        np.savez(path, tokens=self.tokens, starts=self.starts, text_bytes=self.text_bytes)

    @staticmethod
    def load(path: Path) -> Corpus:
        with np.load(path) as saved:
            return Corpus(saved["tokens"], saved["starts"], int(saved["text_bytes"]))


def tokenize(tokenizer: Tokenizer, seed: int, count: int) -> Corpus:
    """The first `count` stories of a seed."""
    chunks, starts, at, text_bytes = [], [], 0, 0
    source = itertools.islice(stories(seed), count)
    while texts := list(itertools.islice(source, 2000)):
        for text, encoding in zip(texts, tokenizer.encode_batch(texts, add_special_tokens=False), strict=True):
            chunks.append(np.array([BOS_ID, *encoding.ids, EOS_ID], dtype=np.uint16))
            starts.append(at)
            at += len(chunks[-1])
            text_bytes += len(text.encode())
    return Corpus(np.concatenate(chunks), np.array(starts, dtype=np.int64), text_bytes)


class Batches:
    """Rows of T + 1 tokens from the start of a document on; a round starts one at every document."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self._corpus = corpus
        self._random = np.random.default_rng(seed)
        self._order = self._random.permutation(len(corpus.starts))
        self._next = 0

    def take(self, rows: int, length: int) -> Tensor:
        """int64 [rows, length + 1]."""
        last = len(self._corpus.tokens) - length - 1
        picked = np.empty((rows, length + 1), dtype=np.int64)
        for row in range(rows):
            if self._next == len(self._order):
                self._order, self._next = self._random.permutation(len(self._order)), 0
            start = min(int(self._corpus.starts[self._order[self._next]]), last)
            picked[row] = self._corpus.tokens[start : start + length + 1]
            self._next += 1
        return torch.from_numpy(picked)

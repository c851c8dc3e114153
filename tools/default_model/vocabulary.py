"""The tokenizer of the default model: byte-level BPE, so that every text has tokens and comes back from them."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

BOS, EOS = "<|begin|>", "<|end|>"
BOS_ID, EOS_ID = 0, 1
SIZE = 4096


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Learn `SIZE` tokens from texts; ids 0 and 1 are BOS and EOS, and encoding puts BOS first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=[BOS, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, BOS_ID)]
    )
    if tokenizer.get_vocab_size() != SIZE:
        raise ValueError(
            f"the corpus gave only {tokenizer.get_vocab_size()} of {SIZE} tokens; train on more or richer texts"
        )
    return tokenizer

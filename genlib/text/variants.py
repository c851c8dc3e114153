"""A tokenizer of the tokenizers library, without what no text is to meet."""

from __future__ import annotations

import json
from typing import Any

import tokenizers
from tokenizers import normalizers, pre_tokenizers

from .spelling import component_state


def without_training(tokenizer: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """Switches off truncation, padding, training-time randomness, and the parsing of control tokens."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    for name in ("dropout", "alpha"):  # they would make tokenisation random
        if getattr(tokenizer.model, name, None) is not None:
            setattr(tokenizer.model, name, None)
    return tokenizer


def without_prefix(tokenizer: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """A tokenizer that puts no space before a text; the same object if it puts none anyway."""
    normalizer, splitter = component_state(tokenizer.normalizer), component_state(tokenizer.pre_tokenizer)
    plain_normalizer, plain_splitter = _drop_prefix(normalizer), _drop_prefix(splitter)
    if (plain_normalizer, plain_splitter) == (normalizer, splitter):
        return tokenizer
    copy = tokenizers.Tokenizer.from_str(tokenizer.to_str())
    if plain_normalizer != normalizer:
        steps = normalizers.Sequence([])
        state = {"type": "Sequence", "normalizers": [plain_normalizer] if plain_normalizer else []}
        steps.__setstate__(json.dumps(state).encode())
        copy.normalizer = steps
    if plain_splitter != splitter:
        parts = pre_tokenizers.Sequence([])
        parts.__setstate__(json.dumps({"type": "Sequence", "pretokenizers": [plain_splitter]}).encode())
        copy.pre_tokenizer = parts
    return without_training(copy)


def _drop_prefix(state: dict[str, Any] | None) -> dict[str, Any] | None:
    """The state of a normalizer or pre-tokenizer without the step that puts a space first."""
    if state is None or state["type"] == "Prepend":
        return None
    if state["type"] == "Metaspace":
        return state | {"prepend_scheme": "never"}
    if state["type"] == "ByteLevel":
        return state | {"add_prefix_space": False}
    for key in ("normalizers", "pretokenizers"):
        if key in state:
            return state | {key: [kept for kept in map(_drop_prefix, state[key]) if kept is not None]}
    return state

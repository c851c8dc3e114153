"""The bytes that the tokens of a vocabulary stand for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, cast

from ..errors import CheckpointError

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def _byte_alphabet() -> dict[str, int]:
    """The character that stands for each byte in byte-level vocabularies, as in GPT-2.

    Bytes that are visible characters in Latin-1 are those characters; the others are U+0100 and up, in order.
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in visible]
    return {chr(b): b for b in visible} | {chr(0x100 + i): b for i, b in enumerate(hidden)}


BYTES = _byte_alphabet()


@dataclass(frozen=True, slots=True)
class Spelling:
    """How tokens encode bytes: with the byte-level alphabet, or in SentencePiece's way."""

    byte_level: bool = False
    replacements: tuple[tuple[str, str], ...] = ()
    byte_fallback: bool = False
    strip_leading_space: bool = False

    def literal(self, content: str) -> bytes:
        """The bytes of an added token, whose text is literal."""
        for old, new in self.replacements:
            content = content.replace(old, new)
        return content.encode()

    def bytes_of(self, token: str) -> bytes:
        """The bytes of a token of the model's vocabulary."""
        if self.byte_level and all(c in BYTES for c in token):
            return bytes(BYTES[c] for c in token)
        match = _BYTE_TOKEN.fullmatch(token) if self.byte_fallback else None
        return bytes([int(match[1], 16)]) if match else self.literal(token)


def component_state(component: Any) -> dict[str, Any] | None:
    """A component of a tokenizer in the format of tokenizer.json."""
    return None if component is None else cast("dict[str, Any]", json.loads(component.__getstate__()))


def keeps_bytes(splitter: dict[str, Any] | None) -> bool:
    """Whether a pre-tokenizer is known to leave every byte of a text in one of its pieces."""
    if splitter is None:
        return True
    if splitter["type"] == "Sequence":
        return all(map(keeps_bytes, splitter["pretokenizers"]))
    if splitter["type"] in ("Split", "Punctuation"):
        return bool(splitter["behavior"] != "Removed")
    return splitter["type"] in ("ByteLevel", "Digits")


def read_decoder(state: dict[str, Any] | None) -> Spelling:
    """Raises CheckpointError, which shows the decoder, unless it is byte-level or SentencePiece-like."""
    steps = [state] if state is None or state["type"] != "Sequence" else state["decoders"]
    kinds = [None if step is None else step["type"] for step in steps]
    if "ByteLevel" in kinds and set(kinds) <= {"ByteLevel", "Fuse"}:
        return Spelling(byte_level=True)
    replacements: list[tuple[str, str]] = []
    strip = False
    for i, (kind, step) in enumerate(zip(kinds, steps, strict=True)):
        if kind == "Metaspace":
            replacements.append((step["replacement"], " "))
            strip = step["prepend_scheme"] != "never"
        elif kind == "Replace" and "String" in step["pattern"]:
            replacements.append((step["pattern"]["String"], step["content"]))
        elif kind == "Strip" and "Fuse" in kinds[:i] and (step["content"], step["start"], step["stop"]) == (" ", 1, 0):
            strip = True
        elif kind not in ("ByteFallback", "Fuse"):
            rule = "be ByteLevel, or made of Replace, Metaspace, ByteFallback, Fuse and Strip"
            raise CheckpointError(f"tokenizer.json: `decoder` must {rule}, got {json.dumps(step)[:200]}")
    return Spelling(False, tuple(replacements), "ByteFallback" in kinds, strip)

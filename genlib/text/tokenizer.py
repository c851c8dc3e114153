"""Between text and token ids: tokenizer.json, such that no text is ever parsed into control tokens."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection
from pathlib import Path

import tokenizers

from ..checkpoint.fields import is_there, read_bytes, read_object
from ..errors import CheckpointError, InvalidRequest
from .spelling import BYTES, component_state, keeps_bytes, read_decoder
from .variants import without_prefix, without_training

LONG_TEXT = 1 << 14  # characters: a shorter one is encoded at once


class Tokenizer:
    """A checkpoint's tokenizer. Safe to use from many threads.

    prefix_ids: the ids that the checkpoint puts before a text (its BOS), for a new state. Ids that it would put after
    one are left out, since generation continues there. strip_leading_space: whether the space at the start of a state's
    bytes does not belong to its text: SentencePiece vocabularies put one before each text.
    """

    __slots__ = (
        "_added",
        "_bytes",
        "_continuing",
        "_control",
        "_ids",
        "_longest",
        "_missing",
        "_spelling",
        "_starting",
        "digest",
        "prefix_ids",
    )

    def __init__(
        self,
        tokenizer: tokenizers.Tokenizer,
        prefix_ids: list[int],
        control_ids: Collection[int],
        digest: str = "",
    ) -> None:
        """Takes ownership of `tokenizer`. digest: of all that decides how text becomes tokens. Raises CheckpointError
        if its decoder is not supported."""
        self.digest = digest
        self._spelling = read_decoder(component_state(tokenizer.decoder))
        self._starting = without_training(tokenizer)
        self._continuing = without_prefix(tokenizer)
        added = tokenizer.get_added_tokens_decoder()
        self._added = {i: token.content for i, token in added.items()}
        self._control = frozenset(i for i, token in added.items() if token.special) | {*prefix_ids, *control_ids}
        self._bytes: dict[int, bytes] = {}
        self._ids: dict[bytes, int] = {}
        self._longest: float | None = None
        self._missing = self._missing_bytes()
        self.prefix_ids = prefix_ids

    @staticmethod
    def load(folder: Path, *, vocab_size: int | None = None, control_ids: Collection[int] = ()) -> Tokenizer:
        """Reads tokenizer.json and, if it exists, tokenizer_config.json.

        vocab_size: V of the model; ids of ordinary tokens must be below it. control_ids: ids to treat as control tokens
        even if the tokenizer does not mark them as such, for example the model's EOS. Raises CheckpointError.
        """
        path = folder / "tokenizer.json"
        if not is_there(path):
            raise CheckpointError(f"{path} does not exist; save a fast tokenizer with transformers")
        data = read_bytes(path)
        try:
            raw = tokenizers.Tokenizer.from_buffer(data)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # the library raises plain Exception, and panics, which are none
            raise CheckpointError(f"{path} cannot be used: {error}") from error
        prefix_ids = _prefix_ids(folder, raw)
        facts = data + repr((prefix_ids, sorted(control_ids))).encode()
        digest = hashlib.blake2b(facts, digest_size=16).hexdigest()
        tokenizer = Tokenizer(raw, prefix_ids, control_ids, digest)
        ordinary = set(raw.get_vocab(with_added_tokens=True).values()) - tokenizer._control
        largest = max([*ordinary, *tokenizer.prefix_ids], default=0)
        if vocab_size is not None and largest >= vocab_size:
            rule = f"be below `vocab_size` ({vocab_size}) of config.json"
            raise CheckpointError(f"{path}: token ids must {rule}, got {largest}")
        return tokenizer

    @property
    def strip_leading_space(self) -> bool:
        return self._spelling.strip_leading_space

    def encode(self, text: str, *, continues: bool = False) -> list[int]:
        """The ids of a text, without `prefix_ids`. They never contain a control token.

        continues: whether the text follows another, so that the tokenizer puts no space before it. Raises
        InvalidRequest if the vocabulary has no tokens for a part of the text.
        """
        tokenizer = self._continuing if continues else self._starting
        try:
            # A batch of one: only batches are encoded without the interpreter's lock.
            (encoding,) = tokenizer.encode_batch_fast([text], add_special_tokens=False)
        except Exception as error:  # an unknown character in a vocabulary without an unknown token
            raise InvalidRequest(f"the model's vocabulary has no tokens for the text: {error}") from error
        if self._missing:
            normalizer = tokenizer.normalizer
            self._refuse_missing(text if normalizer is None else normalizer.normalize_str(text))
        ids = encoding.ids
        if self._control.isdisjoint(ids):
            return ids
        (encoding,) = tokenizer.encode_batch([text], add_special_tokens=False)  # slower, with offsets
        return self._without_control(text, ids, encoding.offsets)

    def least_tokens(self, text: str) -> int:
        """A number of tokens that `encode` makes of a text at least, known without encoding it: 0 unless it is long."""
        if len(text) < LONG_TEXT:
            return 0
        if self._longest is None:
            self._longest = self._longest_token()
        return math.ceil(len(text.encode()) / self._longest)

    def _longest_token(self) -> float:
        """In bytes, of what every byte of a text ends up in; infinite if bytes may be dropped on the way."""
        tokenizer = self._starting
        strips = any(token.lstrip or token.rstrip for token in tokenizer.get_added_tokens_decoder().values())
        if strips or not self._spelling.byte_level or tokenizer.normalizer is not None:
            return math.inf
        if not keeps_bytes(component_state(tokenizer.pre_tokenizer)):
            return math.inf
        added = (len(content.encode()) for content in self._added.values())
        return max(*map(len, tokenizer.get_vocab(with_added_tokens=False)), *added, 1)  # a character stands for a byte

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token adds to the text: b"" for control tokens and unused ids."""
        found = self._bytes.get(token_id)
        if found is None:
            found = self._bytes[token_id] = self._spell(token_id)
        return found

    def _spell(self, token_id: int) -> bytes:
        if token_id in self._control:
            return b""
        if token_id in self._added:
            return self._spelling.literal(self._added[token_id])
        token = self._starting.id_to_token(token_id)
        return b"" if token is None else self._spelling.bytes_of(token)

    def _without_control(self, text: str, ids: list[int], offsets: list[tuple[int, int]]) -> list[int]:
        """Replaces control tokens by ordinary tokens for the same text.

        The library never parses special tokens of the added vocabulary from text, but a tokenizer model may produce
        one (Unigram, or a whole word of the vocabulary), and a control token need not be declared special.
        """
        plain: list[int] = []
        for token_id, (start, end) in zip(ids, offsets, strict=True):
            if token_id not in self._control:
                plain.append(token_id)
            elif (self._starting.id_to_token(token_id) or "") not in text[start:end]:
                raise _no_tokens(text[start:end])  # the unknown token
            else:
                plain += self._ordinary(text[start:end])
        return plain

    def _ordinary(self, text: str) -> list[int]:
        """Greedy tokenisation: the longest ordinary tokens, from left to right."""
        if not self._ids:
            every = self._starting.get_vocab(with_added_tokens=True).values()
            self._ids = {self.token_bytes(i): i for i in sorted(every) if self.token_bytes(i)}
        data, ids = text.encode(), []
        while data:
            size = next((n for n in range(len(data), 0, -1) if data[:n] in self._ids), None)
            if size is None:
                raise _no_tokens(text)
            ids.append(self._ids[data[:size]])
            data = data[size:]
        return ids

    def _missing_bytes(self) -> frozenset[int]:
        """Bytes that a byte-level vocabulary silently drops because it has no token for them."""
        model = self._starting.model
        if not self._spelling.byte_level or getattr(model, "unk_token", None) is not None:
            return frozenset()
        return frozenset(b for c, b in BYTES.items() if model.token_to_id(c) is None)

    def _refuse_missing(self, text: str) -> None:
        for c in text:
            if not self._missing.isdisjoint(c.encode()):
                raise _no_tokens(c)


def _no_tokens(part: str) -> InvalidRequest:
    return InvalidRequest(f"the model's vocabulary has no tokens for {part!r}")


def _prefix_ids(folder: Path, tokenizer: tokenizers.Tokenizer) -> list[int]:
    """The ids that the post-processor puts before a text, or else the BOS requested by tokenizer_config.json."""
    encoding = tokenizer.encode("a", add_special_tokens=True)
    prefix: list[int] = []
    for token_id, special in zip(encoding.ids, encoding.special_tokens_mask, strict=True):
        if not special:
            break
        prefix.append(token_id)
    path = folder / "tokenizer_config.json"
    settings = read_object(path) if is_there(path) else {}
    if prefix or settings.get("add_bos_token") is not True:
        return prefix
    bos = settings.get("bos_token")
    content = bos.get("content") if isinstance(bos, dict) else bos
    bos_id = tokenizer.token_to_id(content) if isinstance(content, str) else None
    if bos_id is None:
        raise CheckpointError(
            f"{path}: `bos_token` must be a known token, since `add_bos_token` is true, got {content!r}"
        )
    return [bos_id]

"""Which tokens may be drawn: bitmasks over the vocabulary, bit v % 32 of word v // 32 for token v."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..checks import refuse
from ..errors import TokenMaskError
from ..ops.arrays import Int32

Words = npt.NDArray[np.uint32]


@runtime_checkable
class TokenMask(Protocol):
    """Says before each token which ones may come next, as a grammar does. Written by the caller.

    The engine's thread calls it, between steps: it should be quick, and must not wait for a call of the same engine.
    An exception ends its call alone, with TokenMaskError; so does a mask that leaves nothing to draw. An end of text
    is a token like the others: it must be allowed for the text to end. What `allowed_tokens`, `min_tokens` and
    `ignore_eos` forbid stays forbidden.
    """

    def fill(self, words: Int32) -> None:
        """Sets the bits of the tokens that may come next. words [ceil(V / 32)]: bit v % 32 of word v // 32 is token
        v. They come with all bits set; bits behind the vocabulary do not matter."""

    def accept(self, token_id: int) -> None:
        """Takes note of the next token: every one that is drawn, the last and an end of text included."""

    def fork(self) -> TokenMask:
        """An independent mask that has seen the same tokens. generate_multi takes one for each continuation."""


def check_token_mask(value: object) -> None:
    """Raises InvalidRequest unless `value` has a TokenMask's methods."""
    if isinstance(value, type) or not isinstance(value, TokenMask):
        raise refuse("token_mask", "have the methods fill(words), accept(token_id) and fork()", value)


class VocabularyMasks:
    """The vocabulary as words: all of it, and without the ends of text."""

    def __init__(self, vocabulary: int, eos_ids: Collection[int]) -> None:
        self.vocabulary = vocabulary
        self.every = self.of(range(vocabulary))
        self.no_eos = self.every & ~self.of(eos_ids)

    def of(self, tokens: Collection[int]) -> Words:
        """The words of a set of tokens."""
        bits = np.zeros(-(-self.vocabulary // 32) * 32, np.bool_)
        bits[np.fromiter(tokens, np.int64, len(tokens))] = True
        return np.packbits(bits, bitorder="little").view("<u4").astype(np.uint32)


class RowMask:
    """The words of one sequence: what its caller allows, less the ends of text while they are banned."""

    __slots__ = ("_allowed", "_guide", "_masks", "_room", "words")

    def __init__(self, masks: VocabularyMasks, allowed: Words | None, guide: TokenMask | None) -> None:
        self._masks = masks
        self._allowed = masks.every if allowed is None else allowed
        self._guide = guide
        self._room = np.empty(len(masks.every), np.int32)  # never what the sampler reads: the caller may keep it
        self.words = self._allowed

    @property
    def asks(self) -> bool:
        """Whether the words change from token to token."""
        return self._guide is not None

    def accept(self, token: int) -> None:
        """Tells the caller's mask of a token. Raises TokenMaskError."""
        if self._guide is not None:
            with _asking("accept"):
                self._guide.accept(token)

    def refresh(self, *, eos_banned: bool) -> None:
        """Makes `words` those of the next token. Raises TokenMaskError."""
        words = self._allowed & self._masks.no_eos if eos_banned else self._allowed
        if self._guide is not None:
            self._room.fill(-1)
            with _asking("fill"):
                self._guide.fill(self._room)
            given = self._room.view(np.uint32)
            words = given & words
            if not words.any():
                raise _nothing_allowed(empty=not (given & self._masks.every).any())
        self.words = words


def forked(mask: TokenMask | None) -> TokenMask | None:
    """A fork, if there is one. Raises TokenMaskError."""
    if mask is None:
        return None
    with _asking("fork"):
        return mask.fork()


@contextmanager
def _asking(method: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:  # a panic of native code is no Exception, and must not end the engine's thread
        raise TokenMaskError(f"`token_mask.{method}` raised {error!r}", param="token_mask") from error


def _nothing_allowed(*, empty: bool) -> TokenMaskError:
    message = "`token_mask` allows no token; allow an end of text where the text must end"
    if not empty:
        message = "none of the tokens that `token_mask` allows is left by `allowed_tokens`, `min_tokens`, `ignore_eos`"
    return TokenMaskError(message, param="token_mask")

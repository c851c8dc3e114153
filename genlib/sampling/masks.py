"""Which tokens may be drawn: bitmasks over the vocabulary, bit v % 32 of word v // 32 for token v."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..checks import refuse, shown
from ..errors import TokenMaskError
from ..ops.arrays import Int32

Words = npt.NDArray[np.uint32]


@runtime_checkable
class TokenMask(Protocol):
    """Decides before each token which ones may come next, for example by a grammar. Implemented by the caller.

    The engine's thread calls it between steps, so it must be fast, and must not wait for a call of the same engine. If
    it raises, or leaves no token, its call (and no other) fails with TokenMaskError. An end-of-text token is a token
    like any other: it must be allowed for the text to end. Tokens forbidden by `allowed_tokens`, `min_tokens` or
    `ignore_eos` stay forbidden.
    """

    def fill(self, words: Int32) -> None:
        """Sets the bits of the tokens that may come next, and clears all others.

        words: int32 [ceil(V / 32)], at first with all bits set; bit v % 32 of word v // 32 is token v. Bits beyond the
        vocabulary are ignored.
        """

    def accept(self, token_id: int) -> None:
        """Advances by a token. Called for every token drawn, including the last one and an end of text."""

    def fork(self) -> TokenMask:
        """Returns an independent copy in the same position. generate_multi uses one for each continuation."""


def check_token_mask(value: object) -> None:
    """Raises InvalidRequest unless `value` has the methods of TokenMask."""
    if isinstance(value, type) or not isinstance(value, TokenMask):
        raise refuse("token_mask", "have the methods fill(words), accept(token_id) and fork()", value)


class VocabularyMasks:
    """The masks of the whole vocabulary, with and without the end-of-text tokens, as words."""

    def __init__(self, vocabulary: int, eos_ids: Collection[int]) -> None:
        self.vocabulary = vocabulary
        self.every = self.of(range(vocabulary))
        self.no_eos = self.every & ~self.of(eos_ids)

    def of(self, tokens: Collection[int]) -> Words:
        """The mask of a set of tokens."""
        bits = np.zeros(-(-self.vocabulary // 32) * 32, np.bool_)
        bits[np.fromiter(tokens, np.int64, len(tokens))] = True
        return np.packbits(bits, bitorder="little").view("<u4").astype(np.uint32)


class RowMask:
    """The mask of one sequence: what the caller allows, without end-of-text tokens while they are banned."""

    __slots__ = ("_allowed", "_guide", "_masks", "_room", "words")

    def __init__(self, masks: VocabularyMasks, allowed: Words | None, guide: TokenMask | None) -> None:
        self._masks = masks
        self._allowed = masks.every if allowed is None else allowed
        self._guide = guide
        self._room = np.empty(len(masks.every), np.int32)  # not what the sampler reads: the caller may keep it
        self.words = self._allowed

    @property
    def asks(self) -> bool:
        """Whether the mask changes from token to token."""
        return self._guide is not None

    def accept(self, token: int) -> None:
        """Passes a token to the caller's mask. Raises TokenMaskError."""
        if self._guide is not None:
            with _asking("accept"):
                self._guide.accept(token)

    def refresh(self, *, eos_banned: bool) -> None:
        """Sets `words` for the next token. Raises TokenMaskError."""
        words = self._allowed & self._masks.no_eos if eos_banned else self._allowed
        if self._guide is not None:
            with _asking("fill"):  # all of it: the caller has the array, and may do with it what it likes
                self._room.fill(-1)
                self._guide.fill(self._room)
                given = self._room.view(np.uint32)
                words = given & words
            if not words.any():
                raise _nothing_allowed(empty=not (given & self._masks.every).any())
        self.words = words


def forked(mask: TokenMask | None) -> TokenMask | None:
    """A fork of the mask, or None without one. Raises TokenMaskError."""
    if mask is None:
        return None
    with _asking("fork"):
        return mask.fork()


@contextmanager
def _asking(method: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:  # a native panic is no Exception, and must not end the engine's thread
        raise TokenMaskError(f"`token_mask.{method}` raised {shown(error)}", param="token_mask") from error


def _nothing_allowed(*, empty: bool) -> TokenMaskError:
    message = "`token_mask` allows no token; where the text must end, allow an end-of-text token"
    if not empty:
        message = "`token_mask` allows only tokens that `allowed_tokens`, `min_tokens` or `ignore_eos` forbid"
    return TokenMaskError(message, param="token_mask")

"""Continuation: turns the tokens drawn for a sequence into text, and decides when it ends."""

from __future__ import annotations

import math
from typing import Any

from ..calls.requests import GenerateMulti, GenerateToken
from ..calls.results import FinishReason, Piece, TokenResult, TopLogprob
from ..sampling.token import SampledToken
from ..states.record import Generated, Record
from ..states.state import State
from ..text.stops import StopMatcher
from ..text.tokenizer import Tokenizer
from ..text.utf8 import Utf8Decoder
from .sequence import Sequence


class Continuation:
    """The tokens that a call draws for one sequence, after the tokens of `record`.

    max_tokens: the request's, or what the context has left. ended: whether no further token may be drawn. token_ids:
    all tokens drawn, including an end of text. Texts are decoded only when needed: nothing that can wait is done
    between two steps.
    """

    def __init__(
        self,
        request: GenerateToken | GenerateMulti,
        record: Record,
        tokenizer: Tokenizer,
        eos_ids: frozenset[int],
        seed: int,
        max_tokens: int,
    ) -> None:
        self.request = request
        self.seed = seed
        self.token_ids: list[int] = []
        self.ended = record.finished
        self.finish_reason: FinishReason | None = "end_of_text" if record.finished else None
        self.stop_sequence: str | None = None
        self.match_end: int | None = None
        self._shown: list[SampledToken] = []  # all tokens except an end of text
        self._texts: list[str] = []  # of the first of these
        self._flushed = ""
        self._max_tokens = max_tokens
        self._tokenizer = tokenizer
        self._eos_ids = eos_ids
        self._decoder = Utf8Decoder(record.pending_bytes(tokenizer))
        stops = record.stop_sequences if request.stop_sequences is None else request.stop_sequences
        self._matcher: StopMatcher | None = None
        if stops:
            longest = max(len(s.encode()) for s in stops)
            self._matcher = StopMatcher(stops, record.unmatched_tail(tokenizer, longest))

    @property
    def eos_banned(self) -> bool:
        """Whether the next token must not be an end of text."""
        return self.request.ignore_eos or len(self.token_ids) < self.request.min_tokens

    def take(self, seq: Sequence, token: SampledToken) -> None:
        """Accepts the next token, and prepares the sequence's sampler for the one after it. Raises TokenMaskError."""
        self.accept(token)
        sampler = seq.sampler
        unbanned = len(self.token_ids) == self.request.min_tokens
        if sampler is not None and (unbanned or sampler.asks):
            sampler.advance(token.token_id, ended=self.ended, eos_banned=self.eos_banned)
            seq.sampler_changed = unbanned

    def accept(self, token: SampledToken) -> None:
        """Accepts the next token and decides whether it is the last one."""
        token_id = token.token_id
        self.token_ids.append(token_id)
        if token_id in self._eos_ids:
            self.ended, self.finish_reason = True, "end_of_text"
            return
        self._shown.append(token)
        if self._matcher is not None:
            self._match(self._matcher, self._tokenizer.token_bytes(token_id))
        if len(self.token_ids) >= self._max_tokens:
            self.ended = True

    def _match(self, matcher: StopMatcher, piece: bytes) -> None:
        stop = matcher.feed(piece, heeded=len(self.token_ids) >= self.request.min_tokens)
        if stop is not None:
            self.ended, self.finish_reason = True, "stop_sequence"
            self.stop_sequence, self.match_end = stop, matcher.match_end

    def spell(self) -> int:
        """Decodes the texts of all tokens, and flushes an incomplete code point at an end of text.

        Returns the number of pieces that a stream has so far.
        """
        for one in self._shown[len(self._texts) :]:
            self._texts.append(self._decoder.feed(self._tokenizer.token_bytes(one.token_id)))
        if self.finish_reason == "end_of_text" and self._decoder.pending:
            self._flushed = self._decoder.flush()
        return len(self._texts) + bool(self._flushed)

    def _likelihoods(self, tokens: list[SampledToken]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Probabilities and their logarithms, of the requested kind."""
        if self.request.probability == "sampling":
            probabilities = tuple(one.sampling_probability for one in tokens)
            return probabilities, tuple(map(math.log, probabilities))
        return tuple(one.probability for one in tokens), tuple(one.logprob for one in tokens)

    def _tops(self, tokens: list[SampledToken]) -> tuple[tuple[TopLogprob, ...], ...]:
        if not self.request.top_logprobs:
            return ()
        return tuple(
            tuple(
                TopLogprob(self._tokenizer.token_bytes(token).decode("utf-8", "replace"), token, logprob)
                for token, logprob in zip(one.top_tokens.tolist(), one.top_logprobs.tolist(), strict=True)
            )
            for one in tokens
        )

    def piece(self, state_id: str, i: int) -> Piece:
        """The i-th piece of a stream: a token, or an incomplete code point flushed at an end of text.

        Any thread may call this once `spell` has counted the piece, even while further tokens arrive.
        """
        reason = self.finish_reason  # before the tokens are counted: it is set when they all are there
        shown = self._shown[i : i + 1]
        ends = not shown or (reason == "stop_sequence" and i + 1 == len(self._shown))
        return Piece(
            text=self._texts[i] if shown else self._flushed,
            new_tokens=tuple(self._texts[i : i + 1]),
            token_ids=tuple(one.token_id for one in shown),
            **self._about(state_id, shown, reason if ends else None),
        )

    def _about(self, state_id: str, tokens: list[SampledToken], reason: FinishReason | None) -> dict[str, Any]:
        """The fields that a piece and a result have in common. reason: why the last of these tokens ended the call."""
        probabilities, logprobs = self._likelihoods(tokens)
        return {
            "state_id": state_id,
            "probabilities": probabilities,
            "logprobs": logprobs,
            "finished": reason is not None,
            "finish_reason": reason,
            "stop_sequence": None if reason is None else self.stop_sequence,
            "seed": self.seed,
            "top_logprobs": self._tops(tokens),
        }

    def keep(self, num_pieces: int) -> None:
        """Drops the tokens after the first `num_pieces`, as if the call had ended there."""
        eos_unseen = self.finish_reason == "end_of_text" and num_pieces == len(self._shown)
        if num_pieces >= len(self._shown) and not eos_unseen:
            return
        del self._texts[num_pieces:], self._shown[num_pieces:], self.token_ids[num_pieces:]
        self.finish_reason = self.stop_sequence = self.match_end = None
        self._flushed = ""

    @property
    def generated(self) -> Generated:
        """What the call adds to the state's record."""
        return Generated(self.token_ids, finished=self.finish_reason == "end_of_text", match_end=self.match_end)

    def result(self, state_id: str, state: State | None = None) -> TokenResult:
        """The result. A code point left incomplete by an end of text becomes U+FFFD in the last token's text; where an
        earlier call has begun it and this one adds no token, `text` alone has it."""
        self.spell()
        texts = self._texts.copy()
        if texts:
            texts[-1] += self._flushed
        return TokenResult(
            text="".join(texts) or self._flushed,
            new_tokens=tuple(texts),
            token_ids=tuple(self.token_ids[: len(texts)]),
            state=state,
            **self._about(state_id, self._shown, self.finish_reason),
        )

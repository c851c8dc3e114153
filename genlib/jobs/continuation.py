"""Continuation: turns the tokens drawn for a sequence into text, and decides when it ends."""

from __future__ import annotations

import math
from typing import Any

from ..calls.requests import GenerateMulti, GenerateToken
from ..calls.results import FinishReason, Piece, TokenResult, TopLogprob
from ..sampling.token import SampledToken
from ..states.record import Generated, Record
from ..states.state import State
from ..text.stops import Holdback, StopMatcher
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
        *,
        streams: bool = False,
    ) -> None:
        self.request = request
        self.seed = seed
        self.token_ids: list[int] = []
        self.ended = record.finished
        self.finish_reason: FinishReason | None = "end_of_text" if record.finished else None
        self.stop_sequence: str | None = None
        self.stop_start: int | None = None  # known once the texts are
        self.match_end: int | None = None
        self._shown: list[SampledToken] = []  # all tokens except an end of text
        self._texts: list[str] = []  # of the first of these
        self._flushed = ""
        self._max_tokens = max_tokens
        self._tokenizer = tokenizer
        self._eos_ids = eos_ids
        self._pending = record.pending_bytes(tokenizer)
        self._decoder = Utf8Decoder(self._pending)
        stops = record.stop_sequences if request.stop_sequences is None else request.stop_sequences
        self._matcher: StopMatcher | None = None
        self._holdback: Holdback | None = None
        if stops:
            tail = record.unmatched_tail(tokenizer, max(len(s.encode()) for s in stops))
            self._matcher = StopMatcher(stops, tail)
            if streams and not request.include_stop:
                self._holdback = Holdback(stops, tail)

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
        elif self._holdback is not None:
            self._holdback.feed(piece)

    def spell(self) -> int:
        """Decodes the texts of all tokens; at the end, flushes an incomplete code point and finds the stop sequence.

        Returns the number of pieces that a stream can show so far.
        """
        for one in self._shown[len(self._texts) :]:
            self._texts.append(self._decoder.feed(self._tokenizer.token_bytes(one.token_id)))
        if self.finish_reason == "end_of_text" and self._decoder.pending:
            self._flushed = self._decoder.flush()
        if self.stop_sequence is not None and self.stop_start is None:
            self._find_stop(self.stop_sequence)
        if self._holdback is not None and not self.ended:
            return self._holdback.num_clear
        return len(self._texts) + bool(self._flushed)

    def _find_stop(self, stop: str) -> None:
        """Sets `stop_start`, and ends the texts there if they are not to show the stop sequence. Those of pieces that a
        stream has shown do not change: they are before it."""
        pieces = [self._tokenizer.token_bytes(one.token_id) for one in self._shown]
        after = len(pieces[-1]) - (self.match_end or 0)
        data = self._pending + b"".join(pieces)
        before = data[: max(0, len(data) - after - len(stop.encode()))]
        self.stop_start = left = len(before.decode("utf-8", "replace"))
        if not self.request.include_stop:
            for i, text in enumerate(self._texts):
                self._texts[i] = text[:left]
                left -= len(self._texts[i])

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
            stop_start=self._stop_start_in(i) if ends else None,
            **self._about(state_id, shown, reason if ends else None),
        )

    def _stop_start_in(self, i: int) -> int | None:
        """`stop_start` as an index in the i-th text."""
        return None if self.stop_start is None else max(0, self.stop_start - sum(map(len, self._texts[:i])))

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
        self.finish_reason = self.stop_sequence = self.stop_start = self.match_end = None
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
            stop_start=self.stop_start,
            state=state,
            **self._about(state_id, self._shown, self.finish_reason),
        )

"""What happens to one sequence's tokens after they are drawn: text, stop sequences, the end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..calls.requests import GenerateMulti, GenerateToken
from ..calls.results import FinishReason, Piece, TokenResult, TopLogprob
from ..states.state import Record, State
from ..text.stops import StopMatcher
from ..text.tokenizer import Tokenizer
from ..text.utf8 import Utf8Decoder

if TYPE_CHECKING:
    from ..engine.batch import Draw

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Continuation:
    """The tokens that one call draws for one sequence, behind the tokens of `record`.

    `ended` once no further token may be drawn. `token_ids` holds all that were drawn, an end of text included. Texts
    are made when they are asked for: between two steps nothing is done that can wait.
    """

    def __init__(
        self,
        request: GenerateToken | GenerateMulti,
        record: Record,
        tokenizer: Tokenizer,
        eos_ids: frozenset[int],
        seed: int,
    ) -> None:
        self.request = request
        self.seed = seed
        self.token_ids: list[int] = []
        self.ended = record.finished
        self.finish_reason: FinishReason | None = "end_of_text" if record.finished else None
        self.stop_sequence: str | None = None
        self.match_end: int | None = None
        self._shown: list[Draw] = []  # all but an end of text
        self._texts: list[str] = []  # of the first of those
        self._flushed = ""
        self._max_tokens = request.max_tokens
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
        """Whether the next token may not end the text."""
        return self.request.ignore_eos or len(self.token_ids) < self.request.min_tokens

    def accept(self, draw: Draw) -> None:
        """Takes the next token and decides whether it is the last one."""
        token = draw.token
        self.token_ids.append(token)
        if token in self._eos_ids:
            self.ended, self.finish_reason = True, "end_of_text"
            return
        self._shown.append(draw)
        if self._matcher is not None:
            self._match(self._matcher, self._tokenizer.token_bytes(token))
        if len(self.token_ids) >= self._max_tokens:
            self.ended = True

    def _match(self, matcher: StopMatcher, piece: bytes) -> None:
        stop = matcher.feed(piece)
        if stop is not None and len(self.token_ids) >= self.request.min_tokens:
            self.ended, self.finish_reason = True, "stop_sequence"
            self.stop_sequence, self.match_end = stop, matcher.match_end

    def _spell(self) -> None:
        """The texts of all tokens; of an end of text, what it leaves of a code point."""
        for draw in self._shown[len(self._texts) :]:
            self._texts.append(self._decoder.feed(self._tokenizer.token_bytes(draw.token)))
        if self.finish_reason == "end_of_text" and self._decoder.pending:
            self._flushed = self._decoder.flush()

    def _likelihoods(self, draws: list[Draw]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Probabilities and their logarithms, of the kind that was asked for."""
        if self.request.probability == "sampling":
            probabilities = tuple(draw.sampling_probability for draw in draws)
            return probabilities, tuple(map(math.log, probabilities))
        return tuple(draw.probability for draw in draws), tuple(draw.logprob for draw in draws)

    def _tops(self, draws: list[Draw]) -> tuple[tuple[TopLogprob, ...], ...]:
        if not self.request.top_logprobs:
            return ()
        return tuple(
            tuple(
                TopLogprob(self._tokenizer.token_bytes(token).decode("utf-8", "replace"), token, logprob)
                for token, logprob in zip(draw.top_tokens, draw.top_logprobs, strict=True)
            )
            for draw in draws
        )

    def piece(self, state_id: str) -> Piece | None:
        """The last token as a piece of a stream; None when an end of text has nothing to show."""
        self._spell()
        shown = self.finish_reason != "end_of_text"
        if not shown and not self._flushed:
            return None
        last = self._shown[-1:] if shown else []
        return Piece(
            state_id,
            self._texts[-1] if shown else self._flushed,
            tuple(self._texts[-1:] if shown else ()),
            tuple(draw.token for draw in last),
            *self._likelihoods(last),
            self.finish_reason is not None,
            self.finish_reason,
            self.stop_sequence,
            self.seed,
            self._tops(last),
        )

    def keep(self, num_pieces: int) -> None:
        """Forgets the tokens behind the first `num_pieces`, as if the call had ended there."""
        eos_unseen = self.finish_reason == "end_of_text" and num_pieces == len(self._shown)
        if num_pieces >= len(self._shown) and not eos_unseen:
            return
        del self._texts[num_pieces:], self._shown[num_pieces:], self.token_ids[num_pieces:]
        self.finish_reason = self.stop_sequence = self.match_end = None
        self._flushed = ""

    def commit_to(self, record: Record) -> None:
        """Adds the tokens to a record."""
        if self.token_ids:
            finished = self.finish_reason == "end_of_text"
            record.generate(self.token_ids, finished=finished, match_end=self.match_end)

    def result(self, state_id: str, state: State | None = None) -> TokenResult:
        """All of it. What an end of text leaves of a code point becomes U+FFFD, in the last token's text."""
        self._spell()
        texts = self._texts.copy()
        if self._flushed and texts:
            texts[-1] += self._flushed
        return TokenResult(
            state_id,
            "".join(texts),
            tuple(texts),
            tuple(self.token_ids[: len(texts)]),
            *self._likelihoods(self._shown),
            self.finish_reason is not None,
            self.finish_reason,
            self.stop_sequence,
            self.seed,
            state,
            self._tops(self._shown),
        )

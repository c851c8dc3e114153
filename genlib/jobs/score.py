"""The job of score."""

from __future__ import annotations

from ..calls.channel import Answer, Channel
from ..calls.requests import Score, ScoreMany
from ..sampling.token import SampledToken
from ..states.cache import as_int32, pages_for
from ..states.score import ScoreResult
from ..text.utf8 import Utf8Decoder
from .base import Resources
from .sequence import Sequence, Wants
from .waves import WavesJob


class ScoreJob(WavesJob):
    """One sequence of known tokens for each text, each of which tokens takes one row of logits."""

    def __init__(self, use: Resources, channel: Channel, request: Score | ScoreMany) -> None:
        self._texts = (request.token_ids,) if isinstance(request, Score) else request.texts
        super().__init__(use, channel, request.state, len(self._texts))
        self._longest = max(map(len, self._texts))
        self._one = isinstance(request, Score)
        self._scored: list[list[SampledToken]] = [[] for _ in self._texts]
        self._left = len(self._texts)

    def answer_ended(self) -> Answer:
        raise AssertionError("an ended state is scored like any other")

    def _pages_each(self) -> int:
        """For the record's last token, which begins a page or copies the base's last, and for the longest text's."""
        start = len(self.record.tokens)
        return 1 + pages_for(start + self._longest - 1) - pages_for(start)

    def _start_sequence(self, i: int) -> Sequence:
        known = self._texts[i]
        entry = self._branch(self._longest - 1)  # all that the ticket held, so that the next has it
        self.table.append(entry, as_int32(known[:-1]))  # the last is never fed: nothing follows it
        seq = self._sequence(entry, Wants.SCORES, index=i)
        seq.known, seq.logits_from = known, len(self.record.tokens) - 1
        return seq

    def on_scores(self, seq: Sequence, scored: list[SampledToken]) -> None:
        found = self._scored[seq.index]
        found += scored
        if len(found) < len(self._texts[seq.index]):
            return
        self._left -= 1
        self._free(seq.entry)
        self.use.runner.replace(seq, self._successor())
        if not self._left:
            self.use.runner.finish(self, self._answer)

    def _answer(self) -> ScoreResult | tuple[ScoreResult, ...]:
        results = tuple(map(self._result, self._scored))
        return results[0] if self._one else results

    def _result(self, scored: list[SampledToken]) -> ScoreResult:
        token_ids = tuple(one.token_id for one in scored)
        logprobs = tuple(one.logprob for one in scored)
        decoder = Utf8Decoder()
        texts = [decoder.feed(self.use.tokenizer.token_bytes(token)) for token in token_ids]
        texts[-1] += decoder.flush()
        return ScoreResult(
            state_id=self.state.id,
            token_ids=token_ids,
            logprobs=logprobs,
            total=sum(logprobs),
            mean=sum(logprobs) / len(logprobs),
            tokens=tuple(texts),
            # The rows of known tokens have greedy parameters: what would be drawn has all the probability.
            is_greedy=all(one.sampling_probability == 1 for one in scored),
        )

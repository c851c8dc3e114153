"""The job of score."""

from __future__ import annotations

from ..calls.channel import Channel
from ..calls.requests import Score
from ..states.cache import as_int32, pages_for
from ..states.score import ScoreResult
from .base import Job, Resources
from .sequence import Sequence, Wants


class ScoreJob(Job):
    """One sequence of known tokens, each of which takes one row of logits."""

    def __init__(self, use: Resources, channel: Channel, request: Score) -> None:
        super().__init__(use, channel, request.state)
        self.token_ids = request.token_ids
        self._logprobs: list[float] = []

    def pages_needed(self) -> int:
        return pages_for(len(self.record.tokens) + len(self.token_ids)) + 1

    def answer_ended(self) -> ScoreResult:
        raise AssertionError("an ended state is scored like any other")

    def start(self) -> list[Sequence] | None:
        known = len(self.record.tokens)
        entry = self._open(known, len(self.token_ids))
        if entry is None:
            return None
        self.table.append(entry, as_int32(self.token_ids[:-1]))
        seq = self._sequence(entry, Wants.SCORES)
        seq.known, seq.logits_from = self.token_ids, known - 1
        return [seq]

    def on_scores(self, logprobs: list[float]) -> None:
        self._logprobs += logprobs
        if len(self._logprobs) == len(self.token_ids):
            result = ScoreResult(
                state_id=self.state.id,
                token_ids=self.token_ids,
                logprobs=tuple(self._logprobs),
                total=sum(self._logprobs),
            )
            self.use.runner.finish(self, result)

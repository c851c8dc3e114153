"""What beam searches have found, followed back through their steps."""

from __future__ import annotations

from dataclasses import dataclass

from genlib.checks import refuse
from genlib.ops.searches import NO_MATCH

from .searches import Searches


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A finished hypothesis. score: the sum of its tokens' log-probabilities over len(tokens) ** length_penalty.

    ended: by an end of text or a stop sequence, and not by its length. match_end: bytes of its last token up to the end
    of the stop sequence that ended it, None if none did.
    """

    tokens: tuple[int, ...]
    score: float
    ended: bool
    match_end: int | None


def hypotheses(searches: Searches) -> list[list[Hypothesis]]:
    """Those of each search, best first. Waits for the device.

    Raises InvalidRequest for a search whose logits could not be searched: its status is 1 where a beam had no finite
    logit, 2 where one was +inf.
    """
    for i, status in enumerate(searches.status.tolist()):
        if status:
            cause = "no finite logit for a beam" if status == 1 else "a logit of +inf"
            raise refuse(f"searches.status[{i}]", f"be 0: there was {cause}", status)
    parents, tokens = searches.past_parent.tolist(), searches.past_token.tolist()
    names = ("pool_score", "pool_length", "pool_parent", "pool_token", "pool_ended", "pool_match_end")
    pool = list(zip(*(getattr(searches, name).tolist() for name in names), strict=True))
    found: list[list[Hypothesis]] = []
    for first, beams in zip(searches.lane.tolist(), searches.num_beams.tolist(), strict=True):
        found.append([])
        for score, length, parent, token, ended, match_end in pool[first : first + beams]:
            if length == 0:
                continue
            ids, lane = [token], parent
            for t in range(length - 2, -1, -1):
                ids.append(tokens[first + lane][t])
                lane = parents[first + lane][t]
            ids.reverse()
            match = None if match_end == NO_MATCH else match_end
            found[-1].append(Hypothesis(tuple(ids), score, bool(ended), match))
    return found

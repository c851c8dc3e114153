"""Logit bias and the tokens that have occurred, as a short list for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from genlib.checks import check_int, is_number, refuse


@dataclass(frozen=True, slots=True)
class Edits:
    """The tokens of each row whose logits a bias or a penalty changes.

    Row s has the entries start[s] to start[s] + count[s] of token, bias and seen: ids ascending, each once. bias is
    added; seen is −1 for a token that has not occurred, 0 for one that occurs in the prompt only, n for one that occurs
    n times in generated text. All are on the logits' device; on a GPU, what the entries hold is not checked.
    """

    start: torch.Tensor  # [S] int64
    count: torch.Tensor  # [S] int32
    token: torch.Tensor  # [E] int32
    bias: torch.Tensor  # [E] float32
    seen: torch.Tensor  # [E] int32


def edits_of(
    bias: Sequence[Mapping[int, float] | None],
    seen: Sequence[Mapping[int, int] | None] | None = None,
    *,
    device: torch.device | str = "cpu",
) -> Edits:
    """The edits of S rows: token → bias, and token → times generated (0: in the prompt only). None: no token.

    Raises InvalidRequest for an id below 0, a bias that is not finite, or a row that is missing.
    """
    counted = [None] * len(bias) if seen is None else seen
    if len(counted) != len(bias):
        raise refuse("seen", f"have a row for each of the {len(bias)} of `bias`", len(counted))
    entries: list[tuple[int, float, int]] = []
    starts = [0]
    for s, (biases, times) in enumerate(zip(bias, counted, strict=True)):
        biases, times = biases or {}, times or {}  # noqa: PLW2901
        for token in sorted({*biases, *times}):
            entry = (token, biases.get(token, 0.0), times.get(token, -1))
            _check_entry(s, entry)
            entries.append(entry)
        starts.append(len(entries))
    tokens, values, counts = zip(*entries, strict=True) if entries else ((), (), ())
    ends = torch.tensor(starts, dtype=torch.int64)
    return Edits(
        start=ends[:-1].to(device),
        count=ends.diff().to(torch.int32).to(device),
        token=torch.tensor(tokens, dtype=torch.int32, device=device),
        bias=torch.tensor(values, dtype=torch.float32, device=device),
        seen=torch.tensor(counts, dtype=torch.int32, device=device),
    )


def _check_entry(s: int, entry: tuple[int, float, int]) -> None:
    token, bias, seen = entry
    check_int(f"bias[{s}]", token, 0, 2**31 - 1)
    if not is_number(bias):
        raise refuse(f"bias[{s}][{token}]", "be a finite number", bias)
    check_int(f"seen[{s}][{token}]", seen, -1, 2**31 - 1)

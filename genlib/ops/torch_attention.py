"""Keys and values in pages, and attention over them, in torch.

The positions are cut at multiples of SEGMENT, and a block of queries goes over the segments one by one, however few a
query needs: what lies behind its own position changes none of its bits.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .._native import PAGE_SIZE as W
from .torch_rows import ALIGNED, BLOCK, padded

SEGMENT = 256


def ones_beside(D: int) -> int:
    """How many columns of ones beside D of values make the width whole. At least one."""
    return ALIGNED - D % ALIGNED


def write(pages: Tensor, page: Tensor, slot: Tensor, keys: Tensor, values: Tensor) -> None:
    """Writes the keys and values of n tokens. pages [P, 2, G, W, D]; page, slot [n]; keys, values [n, G, D]."""
    pages[page, 0, :, slot] = keys.to(pages.dtype)
    pages[page, 1, :, slot] = values.to(pages.dtype)


def attend(q: Tensor, pages: Tensor, tables: Tensor, lengths: Tensor, longest: int) -> Tensor:
    """Attention of a block of queries. q [m ≤ BLOCK, H, D], float32; pages [P, 2, G, W, D]; tables [m, M]: the pages of
    each query's sequence; lengths [m]: the positions that it sees, at most `longest`. Returns [m, H, D].
    """
    m, H, D = q.shape
    G = pages.shape[2]
    queries = padded(q).reshape(BLOCK * G, H // G, D) * D**-0.5
    tables, lengths = padded(tables), padded(lengths)
    peak = q.new_full((BLOCK * G, H // G, 1), -torch.inf)
    sums = q.new_zeros(BLOCK * G, H // G, D + ones_beside(D))  # of values, and in the columns after them of weights
    for first in range(0, longest, SEGMENT):
        seen = (torch.arange(first, first + SEGMENT, device=q.device) < lengths[:, None])[:, None, :]  # [BLOCK, 1, S]
        keys, values = _segment(pages, tables, first // W, seen)
        hidden = ~seen.expand(BLOCK, G, SEGMENT).reshape(BLOCK * G, 1, SEGMENT)
        scores = torch.bmm(queries, keys.transpose(1, 2)).masked_fill(hidden, -torch.inf)
        higher = torch.maximum(peak, scores.amax(dim=-1, keepdim=True))
        base = higher.masked_fill(higher == -torch.inf, 0)  # of a row of padding
        weights = torch.exp(scores - base)
        sums = sums * torch.exp(peak - base) + torch.bmm(weights, values)
        peak = higher
    result = sums[..., :D] / sums[..., D : D + 1]
    return result.reshape(BLOCK, H, D)[:m]


def _segment(pages: Tensor, tables: Tensor, first: int, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Keys [BLOCK · G, S, D], and values with columns of ones, [BLOCK · G, S, D + …], from the first-th page on. What
    is not seen is 0: a slot that was never written may hold NaN."""
    columns = torch.arange(first, first + SEGMENT // W, device=pages.device).clamp(max=tables.shape[1] - 1)
    found = pages[tables[:, columns]].float()  # [BLOCK, S / W, 2, G, W, D]
    G, D = found.shape[3], found.shape[5]
    both = found.permute(2, 0, 3, 1, 4, 5).reshape(2, BLOCK, G, SEGMENT, D)
    both = torch.where(seen[..., None], both, 0).reshape(2, BLOCK * G, SEGMENT, D)
    return both[0], torch.cat([both[1], both.new_ones(BLOCK * G, SEGMENT, ones_beside(D))], dim=-1)

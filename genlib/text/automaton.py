"""Stop sequences as one automaton over bytes, so that a token takes one lookup per byte."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.uint16]
Flags = npt.NDArray[np.uint8]


def build(patterns: Iterable[bytes], first: int) -> tuple[Table, Flags]:
    """The dense automaton of Aho and Corasick (Efficient string matching, 1975) for non-empty patterns.

    Its states are numbered from `first`, which is the root. Returns the next state for each state and byte [Q, 256],
    and whether a pattern ends in each state [Q].
    """
    children: list[dict[int, int]] = [{}]
    ends = [0]
    for pattern in patterns:
        at = 0
        for byte in pattern:
            if byte not in children[at]:
                children[at][byte] = len(children)
                children.append({})
                ends.append(0)
            at = children[at][byte]
        ends[at] = 1
    table = np.full((len(children), 256), first, np.uint16)
    fallback = [0] * len(children)
    queue = deque([0])
    while queue:
        at = queue.popleft()
        if at:
            table[at] = table[fallback[at]]
            ends[at] |= ends[fallback[at]]
        for byte, child in children[at].items():
            fallback[child] = int(table[at, byte]) - first if at else 0
            table[at, byte] = first + child
            queue.append(child)
    return table, np.array(ends, np.uint8)


def run(table: Table, first: int, data: bytes) -> int:
    """The state after `data`, starting at the root. Matches on the way do not stop it."""
    state = first
    for byte in data:
        state = int(table[state - first, byte])
    return state

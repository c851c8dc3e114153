"""Tables of the searches' stop sequences, and of the bytes that the tokens stand for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genlib.checks import refuse
from genlib.text import automaton

from .search import Search

STOP_STATES = 1 << 16


def automata_of(searches: Sequence[Search]) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Tables of the stop sequences of all searches, and the state in which each begins: 0 where it has none."""
    tables, flags = [np.zeros((1, 256), np.uint16)], [np.zeros(1, np.uint8)]
    roots: dict[tuple[bytes, ...], int] = {(): 0}
    num_states = 1
    for i, search in enumerate(searches):
        stops = tuple(search.stop_sequences)
        if stops in roots:
            continue
        if num_states + sum(map(len, stops)) >= STOP_STATES:
            raise refuse(f"searches[{i}].stop_sequences", f"be shorter than {STOP_STATES} bytes with all others", stops)
        table, ends = automaton.build(stops, num_states)
        roots[stops] = num_states
        num_states += len(table)
        tables.append(table)
        flags.append(ends)
    return np.concatenate(tables), np.concatenate(flags), [roots[tuple(s.stop_sequences)] for s in searches]


def token_table(vocabulary: int, token_bytes: Sequence[bytes] | None, needed: bool) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of all tokens, one behind the other, and where each begins."""
    starts = np.zeros(vocabulary + 1, np.int64)
    if token_bytes is None:
        if needed:
            raise refuse("token_bytes", "be the bytes of each token: a search has stop sequences", None)
        return np.zeros(1, np.uint8), starts
    if len(token_bytes) != vocabulary:
        raise refuse("token_bytes", f"have an entry for each of the {vocabulary} tokens", len(token_bytes))
    for v, piece in enumerate(token_bytes):
        if not isinstance(piece, bytes):
            raise refuse(f"token_bytes[{v}]", "be bytes", piece)
    starts[1:] = np.cumsum([len(piece) for piece in token_bytes])
    return np.frombuffer(b"".join(token_bytes) + b"\0", np.uint8).copy(), starts

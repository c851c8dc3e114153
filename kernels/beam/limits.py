"""How much a search has room for, and how the beam step cuts a row."""

from ..row.sizes import GROUPS, num_tiles

BLOCK = 4096  # tokens of a program that sums masses
CANDIDATES = 512  # most candidates of a search


def num_blocks(V: int) -> int:
    """U of a row of V tokens."""
    return -(-V // BLOCK)


def groups_of_tile(V: int) -> int:
    """Groups of a tile whose peaks are compared: more in short rows, for the sake of many beams."""
    return GROUPS if num_tiles(V) > 16 else 64

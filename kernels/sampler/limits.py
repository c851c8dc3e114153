"""How much the sampler's buffers hold."""

from ..row.sizes import TILE

SORTABLE = 1024  # most keys around a boundary that are sorted
TOPS = 64  # most of the most likely tokens


def room_inside(V: int) -> int:
    """Room in the list of keys around a row's boundary.

    The guess leaves 3.5 standard deviations of a sample of 1024 on both sides: V / 9 tokens at most, mostly.
    """
    return max(SORTABLE, -(-V // (8 * TILE)) * TILE)

"""Sizes that buffers and kernels share."""

TILE = 1024  # tokens of a tile
GROUPS = 16  # groups of a tile, whose peaks say which tokens are candidates
VECTOR = 8  # tokens that are listed together if one of them is a candidate
LISTED = 512  # most such vectors on a row's list
MAX_VOCABULARY = 1 << 20
WIDEST = MAX_VOCABULARY // TILE  # most tiles of a row


def num_tiles(V: int) -> int:
    """T of a row of V tokens."""
    return -(-V // TILE)

"""Sizes that the buffers and the kernels share."""

TILE = 1024  # tokens of a tile
GROUPS = 16  # groups of a tile, whose peaks say which tokens are candidates
VECTOR = 8  # tokens that are listed together if one of them is a candidate
LISTED = 512  # most such vectors of a row, and most candidates
SORTABLE = 1024  # most keys around a boundary that are sorted
TOPS = 64  # most of the most likely tokens
BEAM_BLOCK = 4096  # tokens of a program of the beam step
CANDIDATES = 512  # most candidates of a beam search
MAX_VOCABULARY = 1 << 20
WIDEST = MAX_VOCABULARY // TILE  # most tiles of a row
GROUP_BYTES = 18 << 20  # logits of a group of rows: two of them fit into a cache of 50 MB with room to spare
MOST_GRID_ROWS = 65535  # second dimension of a grid


def num_tiles(V: int) -> int:
    """T of a row of V tokens."""
    return -(-V // TILE)


def beam_groups(V: int) -> int:
    """Groups of a tile whose peaks the beam step compares: more in short rows, for the sake of many beams."""
    return GROUPS if num_tiles(V) > 16 else 64


def room_inside(V: int) -> int:
    """Room in the list of keys around a row's boundary.

    The guess leaves 3.5 standard deviations of a sample of 1024 on both sides: V / 9 tokens at most, mostly.
    """
    return max(SORTABLE, -(-V // (8 * TILE)) * TILE)


def group_size(rows: int, row_bytes: int) -> int:
    """Rows of a group, of about equal ones."""
    most = max(1, min(GROUP_BYTES // row_bytes, MOST_GRID_ROWS // 2))
    return -(-rows // -(-rows // most))


def tiles_each(tiles: int) -> int:
    """Tiles that a program takes one after another, of so many in a launch: several if they keep a GPU busy even so."""
    return min(4, max(1, tiles // 4096))

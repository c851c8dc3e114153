"""How the sweep deals out its work: groups of rows that fit into the cache, and tiles for each program."""

GROUP_BYTES = 18 << 20  # logits of a group of rows: two of them fit into a cache of 50 MB with room to spare
MOST_GRID_ROWS = 65535  # second dimension of a grid


def group_size(rows: int, row_bytes: int) -> int:
    """Rows of a group, of about equal ones."""
    most = max(1, min(GROUP_BYTES // row_bytes, MOST_GRID_ROWS // 2))
    return -(-rows // -(-rows // most))


def tiles_each(tiles: int) -> int:
    """Tiles that a program takes one after another, of so many in a launch: several if they keep a GPU busy even so."""
    return min(4, max(1, tiles // 4096))

"""The launches of the beam step's kernels."""

from __future__ import annotations

from collections import namedtuple

from torch import Tensor

from ..row import tiles
from ..row.launcher import kind_of, name_callees_first
from ..row.logits import row_stride
from ..row.sizes import num_tiles
from .bounds import beam_bounds
from .limits import CANDIDATES, groups_of_tile, num_blocks
from .rows import beam_rows
from .searches import Searches
from .workspace import BeamWorkspace

_NAMES = [name for name in Searches.__dataclass_fields__ if name != "most_candidates"]
SearchTensors = namedtuple("SearchTensors", _NAMES)  # as the kernels take them
# By log2 of the candidates that are sorted at once: warps, and registers of a thread. Left alone, the compiler spills
# rather than give a program more than half of the registers.
CONFIGURATIONS = {
    7: {"num_warps": 4, "maxnreg": 168},
    8: {"num_warps": 4, "maxnreg": 168},
    9: {"num_warps": 4, "maxnreg": 168},
    10: {"num_warps": 8, "maxnreg": 168},
}

name_callees_first(beam_bounds, beam_rows)


def log_size(most_candidates: int) -> int:
    """log2 of how many candidates are sorted at once: mostly all that the rows of the widest search have listed."""
    assert most_candidates <= CANDIDATES
    return min(max(CONFIGURATIONS), max(min(CONFIGURATIONS), (8 * most_candidates - 1).bit_length()))


def run(logits: Tensor, searches: Searches, workspace: BeamWorkspace) -> None:
    """Launches the step on the current stream of the logits' device, and waits for nothing."""
    S, V = logits.shape
    rows = tiles.Logits(logits, row_stride(logits), V)
    tensors = SearchTensors(*(getattr(searches, name) for name in _NAMES))
    work = workspace.work._replace(listed=workspace.work.listed.view(logits.dtype))
    kind = kind_of((logits, *tensors), (rows.stride, V))
    arguments = {
        "logits": rows,
        "searches": tensors,
        "work": work,
        "num_slots": len(searches.live),
        "num_eos": len(searches.eos_ids),
        "norms_stride": searches.norms.stride(0),
        "past_stride": searches.past_token.stride(0),
    }
    launch, size = workspace.launcher.launch, log_size(searches.most_candidates)
    launch(beam_bounds, (S * num_tiles(V),), arguments, {"GROUPS": groups_of_tile(V)}, kind, num_warps=1)
    launch(beam_rows, (S * num_blocks(V),), arguments, {"LOG_SIZE": size}, kind, **CONFIGURATIONS[size])

"""The sampler and the beam step as Triton kernels on torch tensors, installed as genlib.kernels: see docs/kernels.md.

    from genlib.kernels import sample
    drawn = sample(logits, temperature=0.8, top_p=0.95, seeds=seeds, positions=positions)

Importing this needs torch, and no GPU. Read row first, what the two share and how its names are used in all kernels;
then sampler; then beam. Neither of these imports the other.
"""

if __name__ != "genlib.kernels":
    raise ImportError("this folder is installed as genlib.kernels; import it under that name")

try:
    from .beam.api import beam_step, warm_up_beams
    from .beam.hypotheses import Hypothesis, hypotheses
    from .beam.search import Search
    from .beam.searches import Searches, new_searches
    from .beam.workspace import BeamWorkspace, new_beam_workspace
    from .sampler.api import sample, warm_up
    from .sampler.edits import Edits, edits_of
    from .sampler.sampled import Sampled, new_sampled
    from .sampler.workspace import Workspace, new_workspace
except ModuleNotFoundError as error:
    if error.name not in ("torch", "triton"):
        raise
    raise ModuleNotFoundError(
        f"genlib.kernels needs the package {error.name!r}: pip install 'genlib[kernels]'", name=error.name
    ) from error

__all__ = [
    "BeamWorkspace",
    "Edits",
    "Hypothesis",
    "Sampled",
    "Search",
    "Searches",
    "Workspace",
    "beam_step",
    "edits_of",
    "hypotheses",
    "new_beam_workspace",
    "new_sampled",
    "new_searches",
    "new_workspace",
    "sample",
    "warm_up",
    "warm_up_beams",
]

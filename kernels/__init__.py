"""The sampler as Triton kernels on torch tensors, installed as genlib.kernels: see docs/kernels.md.

    from genlib.kernels import sample
    drawn = sample(logits, temperature=0.8, top_p=0.95, seeds=seeds, positions=positions)

Importing this needs torch, and no GPU.
"""

if __name__ != "genlib.kernels":
    raise ImportError("this folder is installed as genlib.kernels; import it under that name")

from .api import sample, warm_up
from .edits import Edits, edits_of
from .sampled import Sampled, new_sampled
from .workspace import Workspace, new_workspace

__all__ = ["Edits", "Sampled", "Workspace", "edits_of", "new_sampled", "new_workspace", "sample", "warm_up"]

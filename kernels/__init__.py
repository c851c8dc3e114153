"""Triton kernels, installed as genlib.kernels. None are here yet: the first are the sampler's.

Importing this needs no GPU.
"""

if __name__ != "genlib.kernels":
    raise ImportError("this folder is installed as genlib.kernels; import it under that name")

"""Loads a checkpoint folder into a model that is ready to run."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..checkpoint.config import ModelConfig
from ..checkpoint.weights import Checkpoint, Progress, check
from ..checks import check_choice, check_path, refuse
from ..errors import CheckpointError
from ..ops import select
from ..text.tokenizer import Tokenizer
from .base import LoadedModel
from .decoder import Decoder

# Incremented by every change to an operation or the sampler that can change a bit of any result.
NUMERICS = 1

EMBEDDED = Path(__file__).parent.parent / "default_model"
DTYPES = ("auto", "float32", "bfloat16", "float16")


def load(
    model: str | os.PathLike[str] | None,
    device: str = "auto",
    dtype: str = "auto",
    threads: int | None = None,
    on_progress: Progress | None = None,
    kernels: str | None = None,
) -> LoadedModel:
    """Loads a checkpoint folder, or the embedded model if `model` is None.

    dtype: of the weights; one of DTYPES. The others are as for Engine. Raises CheckpointError, which lists everything
    that is wrong with the folder, BackendError for a device that cannot be used, InvalidRequest for the others.
    """
    check_choice("dtype", dtype, *DTYPES)
    if on_progress is not None and not callable(on_progress):
        raise refuse("on_progress", "be a function of two numbers, or None", on_progress)
    if not isinstance(device, str):
        raise refuse("device", "be a string", device)
    if model is not None:
        check_path("model", model)
    folder = EMBEDDED if model is None else Path(model)
    if not _is_folder(folder):
        raise CheckpointError(f"{str(folder)[:200]} is not a folder; download the checkpoint and pass its folder")
    config = ModelConfig.load(folder)
    tokenizer = Tokenizer.load(folder, vocab_size=config.vocab_size, control_ids=config.eos_ids)
    checkpoint = Checkpoint.open(folder, on_progress)
    check(checkpoint, config)
    ops = select(device, kernels, threads)
    try:
        decoder = Decoder(config, checkpoint, ops, dtype)
    except MemoryError as error:
        ops.close()
        raise CheckpointError(f"{folder} needs more memory than there is for {checkpoint.num_bytes()} bytes") from error
    name = "genlib/default" if model is None else folder.resolve().name
    facts = (checkpoint.digest(), repr(config), tokenizer.digest, dtype, ops.name, NUMERICS)
    fingerprint = hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()
    return LoadedModel(decoder, tokenizer, frozenset(config.eos_ids), name, fingerprint)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # no file can have such a name
        return False

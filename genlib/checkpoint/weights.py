"""A checkpoint's weights: *.safetensors, one file or shards with an index, checked before any data is read.

The reader is our own, and not safetensors', for the sake of peak memory: that one maps whole files, whose
pages count as the process's own, or reads them whole. Here each tensor is read by itself into an array of
its size, so that loading never holds more than one tensor above what has been packed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from ..errors import CheckpointError
from ..ops.tensor import Tensor
from .checksum import Checksum
from .config import ModelConfig
from .fields import raise_problems
from .shards import Entry, find_tensors

TensorType = Literal["F32", "BF16", "F16"]

_ARRAYS = {"F32": "<f4", "BF16": "<u2", "F16": "<u2"}
_PIECE = 1 << 20  # bytes read at once: a multiple of checksum.BLOCK that the checksum still finds in the cache
_INVERSE_FREQUENCIES = re.compile(r".*\.rotary_emb\.inv_freq")  # buffers of old checkpoints; the tables are ours


class Checkpoint:
    """The tensors of a folder, known by name, dtype and shape, and read one at a time."""

    __slots__ = ("_checksums", "_entries", "folder")

    def __init__(self, folder: Path, entries: dict[str, Entry]) -> None:
        self.folder = folder
        self._entries = dict(sorted(entries.items()))
        self._checksums: dict[str, bytes] = {}

    @staticmethod
    def open(folder: Path) -> Checkpoint:
        """Reads the headers. Raises CheckpointError naming all that are absent, truncated or corrupt."""
        problems: list[str] = []
        entries = find_tensors(folder, problems)
        raise_problems(folder, problems)
        return Checkpoint(folder, entries)

    @property
    def names(self) -> tuple[str, ...]:
        """All tensors, in alphabetical order."""
        return tuple(self._entries)

    @property
    def dtype(self) -> TensorType:
        """That of the matrices, which must share one of the three. Raises CheckpointError otherwise."""
        matrices = [entry for entry in self._entries.values() if len(entry.shape) == 2]
        kinds = {entry.dtype for entry in matrices}
        if len(kinds) != 1 or not kinds <= _ARRAYS.keys():
            raise CheckpointError(f"the matrices must be all F32, all BF16 or all F16, got {sorted(kinds)}")
        return cast("TensorType", kinds.pop())

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape. Raises CheckpointError if there is no such tensor."""
        return self._entry(name).shape

    def dtype_of(self, name: str) -> str:
        """A tensor's dtype as its file names it, which may be one that `tensor` refuses."""
        return self._entry(name).dtype

    def num_bytes(self, names: Iterable[str] | None = None) -> int:
        """Bytes of the data of these tensors, or of all."""
        return sum(self._entry(name).size for name in (self._entries if names is None else names))

    def tensor(self, name: str) -> Tensor:
        """Reads one tensor into an array of its own.

        Raises CheckpointError if it is not there, is neither F32, BF16 nor F16, or its file has changed.
        """
        entry = self._entry(name)
        if entry.dtype not in _ARRAYS:
            raise CheckpointError(f"{name} must be F32, BF16 or F16, got {entry.dtype}; convert the weights")
        data = np.empty(entry.shape, _ARRAYS[entry.dtype])
        self._checksums[name] = _read(entry, data.reshape(-1).view(np.uint8))
        return Tensor(name, cast("TensorType", entry.dtype), data)

    def checksum(self, name: str) -> bytes:
        """32 bytes that follow from all bytes of a tensor's data (see checksum.Checksum).

        Taken while `tensor` reads the data, otherwise by reading it now.
        """
        if name not in self._checksums:
            self._checksums[name] = _read(self._entry(name), None)
        return self._checksums[name]

    def digest(self) -> str:
        """Hexadecimal hash of the weights: names, dtypes, shapes and every byte of data.

        BLAKE2b over the tensors in alphabetical order, each "name dtype shape\\n" in UTF-8 and its checksum;
        it is the same however they are spread over files. Cheap once every tensor was read: the checksums are
        taken on the way.
        """
        total = hashlib.blake2b(digest_size=16)
        for name, entry in self._entries.items():
            total.update(f"{name} {entry.dtype} {list(entry.shape)}\n".encode())
            total.update(self.checksum(name))
        return total.hexdigest()

    def _entry(self, name: str) -> Entry:
        if name not in self._entries:
            raise CheckpointError(f"the checkpoint {self.folder} has no tensor {name!r}")
        return self._entries[name]


def _read(entry: Entry, out: npt.NDArray[np.uint8] | None) -> bytes:
    """The checksum of a tensor's bytes, which are left in `out` [entry.size] if it is given."""
    checksum = Checksum()
    scratch = np.empty(min(_PIECE, entry.size), np.uint8) if out is None else out
    try:
        with entry.path.open("rb", buffering=0) as file:
            file.seek(entry.start)
            for start in range(0, entry.size, _PIECE):
                count = min(_PIECE, entry.size - start)
                piece = scratch[:count] if out is None else out[start : start + count]
                view = piece.data
                while view:
                    got = file.readinto(view)
                    if not got:
                        raise CheckpointError(f"{entry.path} was truncated while it was read")
                    view = view[got:]
                checksum.update(piece)
    except OSError as error:
        raise CheckpointError(f"{entry.path} cannot be read: {error.strerror}") from error
    return checksum.digest()


def expected_tensors(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of a model, as transformers names them. Matrices are [out, in]."""
    c, f, v = config.hidden, config.intermediate, config.vocab_size
    q, kv = config.heads * config.head_size, config.kv_heads * config.head_size
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (v, c), "model.norm.weight": (c,)}
    if not config.tied:
        shapes["lm_head.weight"] = (v, c)
    linears = {
        "self_attn.q_proj": (q, c, config.qkv_bias),
        "self_attn.k_proj": (kv, c, config.qkv_bias),
        "self_attn.v_proj": (kv, c, config.qkv_bias),
        "self_attn.o_proj": (c, q, config.o_bias),
        "mlp.gate_proj": (f, c, config.mlp_bias),
        "mlp.up_proj": (f, c, config.mlp_bias),
        "mlp.down_proj": (c, f, config.mlp_bias),
    }
    for layer in range(config.layers):
        prefix = f"model.layers.{layer}."
        shapes[prefix + "input_layernorm.weight"] = shapes[prefix + "post_attention_layernorm.weight"] = (c,)
        for name, (rows, columns, bias) in linears.items():
            shapes[f"{prefix}{name}.weight"] = (rows, columns)
            if bias:
                shapes[f"{prefix}{name}.bias"] = (rows,)
        if config.qk_norm:
            shapes[prefix + "self_attn.q_norm.weight"] = (config.head_size,)
            shapes[prefix + "self_attn.k_norm.weight"] = (config.head_size,)
    return shapes


def check(checkpoint: Checkpoint, config: ModelConfig) -> None:
    """Raises one CheckpointError that names all tensors that are missing, unexpected or malformed.

    Two kinds of tensors may be there without being expected: `….rotary_emb.inv_freq`, which is computed
    here, and `lm_head.weight` of a model with tied embeddings, which must then hold the embeddings' own
    data, since nobody could say otherwise which of the two is meant.
    """
    expected = expected_tensors(config)
    present = {name for name in checkpoint.names if not _INVERSE_FREQUENCIES.fullmatch(name)}
    problems = [f"{name} is missing" for name in _folded(expected.keys() - present)]
    if "lm_head.weight" in expected.keys() - present:
        problems.append("config.json: set `tie_word_embeddings` if the model has no lm_head.weight of its own")
    unexpected = present - expected.keys() - ({"lm_head.weight"} if config.tied else set())
    problems += [f"{name} is unexpected" for name in _folded(unexpected)]
    problems += _malformed(checkpoint, {name: expected[name] for name in sorted(expected.keys() & present)})
    if config.tied and not problems and "lm_head.weight" in present:
        problems += _untied(checkpoint)
    raise_problems(checkpoint.folder, problems)


def _malformed(checkpoint: Checkpoint, expected: dict[str, tuple[int, ...]]) -> list[str]:
    """Problems with the shapes and dtypes of tensors that are there."""
    faults: dict[str, list[str]] = {}
    kinds = set()
    for name, shape in expected.items():
        got, dtype = checkpoint.shape(name), checkpoint.dtype_of(name)
        if got != shape:
            rule = f"must have the shape {list(shape)} by config.json, got {list(got)}"
            faults.setdefault(rule, []).append(name)
        if dtype not in _ARRAYS:
            rule = f"must be F32, BF16 or F16, got {dtype}; convert the weights"
            faults.setdefault(rule, []).append(name)
        elif len(shape) == 2:
            kinds.add(dtype)
    problems = [f"{name} {rule}" for rule, names in faults.items() for name in _folded(names)]
    if len(kinds) > 1:
        problems.append(f"the matrices must share one dtype, got {', '.join(sorted(kinds))}; convert the weights")
    return problems


def _untied(checkpoint: Checkpoint) -> list[str]:
    head, embeddings = "lm_head.weight", "model.embed_tokens.weight"
    same_type = checkpoint.dtype_of(head) == checkpoint.dtype_of(embeddings)
    if same_type and checkpoint.checksum(head) == checkpoint.checksum(embeddings):
        return []
    return [f"config.json: `tie_word_embeddings` must be false, since {head} differs from {embeddings}, got true"]


def _folded(names: Iterable[str]) -> list[str]:
    """Sorted names, those that differ in the layer alone as one: model.layers.{0-3,7}.mlp.up_proj.weight."""
    layers: dict[str, list[int]] = {}
    for name in sorted(names):
        match = re.search(r"\.(\d{1,6})\.", name)
        template = name if match is None else f"{name[: match.start(1)]}{{}}{name[match.end(1) :]}"
        layers.setdefault(template, []).extend([] if match is None else [int(match[1])])
    return [
        template.replace("{}", f"{{{_ranges(found)}}}") if found else template for template, found in layers.items()
    ]


def _ranges(numbers: list[int]) -> str:
    runs: list[list[int]] = []
    for n in sorted(numbers):
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)

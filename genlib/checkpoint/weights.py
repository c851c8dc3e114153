"""A checkpoint's weights: *.safetensors, one file or shards with an index, checked before any data is read.

The safetensors library maps whole files, whose pages count towards the process's memory, or reads them whole. This
reader keeps peak memory low: it reads each tensor into its own array, so that loading never holds more than one tensor
in addition to the packed weights.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from ..errors import CheckpointError
from ..ops.tensor import Tensor
from .config import ModelConfig
from .fields import raise_problems
from .shards import Entry, find_tensors, read_data

TensorType = Literal["F32", "BF16", "F16"]
Progress = Callable[[int, int], None]  # bytes of weights read so far, and in all

_ARRAYS = {"F32": "<f4", "BF16": "<u2", "F16": "<u2"}
_INVERSE_FREQUENCIES = re.compile(r".*\.rotary_emb\.inv_freq")  # buffers in old checkpoints; genlib computes them


class Checkpoint:
    """The tensors of a folder: names, dtypes and shapes are known at once, data is read one tensor at a time."""

    __slots__ = ("_checksums", "_entries", "_num_read", "_on_progress", "folder")

    def __init__(self, folder: Path, entries: dict[str, Entry], on_progress: Progress | None = None) -> None:
        self.folder = folder
        self._on_progress = on_progress
        self._num_read = 0  # bytes of the tensors that were read, each counted once
        self._entries = dict(sorted(entries.items()))
        self._checksums: dict[str, bytes] = {}

    @staticmethod
    def open(folder: Path, on_progress: Progress | None = None) -> Checkpoint:
        """Reads the headers. on_progress: told of each piece of data that is read.

        Raises CheckpointError, which lists all missing, truncated and corrupt files.
        """
        problems: list[str] = []
        entries = find_tensors(folder, problems)
        raise_problems(folder, problems)
        return Checkpoint(folder, entries, on_progress)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tensors, in alphabetical order."""
        return tuple(self._entries)

    @property
    def dtype(self) -> TensorType:
        """The dtype of the matrices. Raises CheckpointError unless they share one of F32, BF16 and F16."""
        matrices = [entry for entry in self._entries.values() if len(entry.shape) == 2]
        kinds = {entry.dtype for entry in matrices}
        if len(kinds) != 1 or not kinds <= _ARRAYS.keys():
            raise CheckpointError(f"the matrices must be all F32, all BF16 or all F16, got {sorted(kinds)}")
        return cast("TensorType", kinds.pop())

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape. Raises CheckpointError if there is no such tensor."""
        return self._entry(name).shape

    def dtype_of(self, name: str) -> str:
        """A tensor's dtype as in the file; `tensor` may not support it."""
        return self._entry(name).dtype

    def num_bytes(self, names: Iterable[str] | None = None) -> int:
        """Size of the data of these tensors in bytes; of all if None."""
        return sum(self._entry(name).size for name in (self._entries if names is None else names))

    def tensor(self, name: str) -> Tensor:
        """Reads one tensor into its own array.

        Raises CheckpointError if it does not exist, is neither F32, BF16 nor F16, or its file cannot be read or has
        become shorter.
        """
        entry = self._entry(name)
        if entry.dtype not in _ARRAYS:
            raise CheckpointError(f"{name} must be F32, BF16 or F16, got {entry.dtype}; convert the weights")
        data = np.empty(entry.shape, _ARRAYS[entry.dtype])
        self._read(entry, data.reshape(-1).view(np.uint8))
        return Tensor(name, cast("TensorType", entry.dtype), data)

    def checksum(self, name: str) -> bytes:
        """The checksum of a tensor's data, 32 bytes (see checksum.Checksum).

        Computed while `tensor` reads the data; if it has not, the data is read now.
        """
        if name not in self._checksums:
            self._read(self._entry(name), None)
        return self._checksums[name]

    def digest(self) -> str:
        """Hexadecimal hash of the weights: names, dtypes, shapes and every byte of data.

        BLAKE2b over the tensors in alphabetical order, each as "name dtype shape\\n" in UTF-8 followed by its checksum.
        It does not depend on how tensors are split into files. Cheap once every tensor has been read.
        """
        total = hashlib.blake2b(digest_size=16)
        for name, entry in self._entries.items():
            total.update(f"{name} {entry.dtype} {list(entry.shape)}\n".encode())
            total.update(self.checksum(name))
        return total.hexdigest()

    def _read(self, entry: Entry, out: npt.NDArray[np.uint8] | None) -> None:
        report = self._advance if self._on_progress is not None and entry.name not in self._checksums else None
        self._checksums[entry.name] = read_data(entry, out, report)

    def _advance(self, num_bytes: int) -> None:
        self._num_read += num_bytes
        assert self._on_progress is not None
        self._on_progress(self._num_read, self.num_bytes())

    def _entry(self, name: str) -> Entry:
        if name not in self._entries:
            raise CheckpointError(f"the checkpoint {self.folder} has no tensor {name!r}")
        return self._entries[name]


def expected_tensors(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """The names (as in transformers) and shapes of all tensors of a model. Matrices are [out, in]."""
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
    """Raises one CheckpointError that lists all tensors that are missing, unexpected or malformed.

    Two tensors may exist without being expected: `….rotary_emb.inv_freq`, which genlib computes, and `lm_head.weight`
    of a model with tied embeddings, which must equal the embeddings: otherwise it would be unclear which one to use.
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
    """Problems with the shapes and dtypes of the expected tensors that exist."""
    faults: dict[str, list[str]] = {}
    kinds = set()
    for name, shape in expected.items():
        got, dtype = checkpoint.shape(name), checkpoint.dtype_of(name)
        if got != shape:
            rule = f"must have shape {list(shape)} according to config.json, got {list(got)}"
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
    """Sorted names; names that differ only in the layer become one: model.layers.{0-3,7}.mlp.up_proj.weight."""
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

"""The safetensors format: which tensor is where in which file, and its bytes.

A file is the length of the header (64 bits, little-endian), the header (JSON: name → dtype, shape, offsets) and the
data, which the tensors fill without gaps or overlaps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CheckpointError
from .checksum import Checksum
from .fields import file_size, is_there, read_object

ITEM_SIZES = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "BF16": 2,
    "F16": 2,
    "I16": 2,
    "U16": 2,
}
ITEM_SIZES |= {"I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1}
_PIECE = 1 << 20  # bytes per read: a multiple of checksum.BLOCK, small enough to be checksummed from the cache
_LARGEST_HEADER = 100_000_000  # the format's own limit
_LARGEST_TENSOR = 2**44  # elements


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a tensor is: `size` bytes from byte `start` of the file `path`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    start: int
    size: int


def find_tensors(folder: Path, problems: list[str]) -> dict[str, Entry]:
    """All tensors of a checkpoint folder, by name. Faults of its files are added to `problems`.

    Reads model.safetensors if it exists, else the shards that model.safetensors.index.json lists.
    """
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if is_there(single):
        return {entry.name: entry for entry in _read_file(single, problems)}
    if not is_there(index):
        remedy = "convert the weights to safetensors"
        problems.append(f"there is neither {single.name} nor {index.name}; {remedy}")
        return {}
    weight_map = read_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(file, str) for file in weight_map.values()):
        problems.append(f"{index.name}: `weight_map` must map tensor names to file names")
        return {}
    found: dict[str, Entry] = {}
    files: dict[str, set[str]] = {}
    for name, file in weight_map.items():
        files.setdefault(file, set()).add(name)
    for file, listed in sorted(files.items()):
        if Path(file).name != file or file in (".", "..") or "\0" in file:
            problems.append(f"{index.name}: {_shown(file)!r} must be the name of a file in the same folder")
        elif not is_there(folder / file):
            problems.append(f"{_shown(file)}: the file is missing, but {index.name} lists {len(listed)} tensors in it")
        else:
            found |= _read_shard(folder / file, listed, problems)
    return found


def _shown(name: str) -> str:
    """A name as a message can have it."""
    return name[:200].encode("utf-8", "backslashreplace").decode()


def _read_shard(path: Path, listed: set[str], problems: list[str]) -> dict[str, Entry]:
    faults_before = len(problems)
    held = {entry.name: entry for entry in _read_file(path, problems)}
    if len(problems) == faults_before:
        for name in sorted(listed - held.keys()):
            problems.append(f"{path.name}: {name} is missing, but the index lists it here")
        for name in sorted(held.keys() - listed):
            problems.append(f"{path.name}: {name} is unexpected, since the index does not list it here")
    return held


def _read_file(path: Path, problems: list[str]) -> list[Entry]:
    """The entries of one file. Malformed ones are added to `problems`."""
    try:
        total = file_size(path)
        with path.open("rb", buffering=0) as file:
            length = int.from_bytes(file.read(8), "little")
            if total < 8 or length > min(total - 8, _LARGEST_HEADER):
                problems.append(f"{path.name}: truncated or not a safetensors file ({total} bytes)")
                return []
            raw = file.read(length)
    except (OSError, CheckpointError) as error:
        problems.append(f"{path.name}: cannot be read: {getattr(error, 'strerror', error)}")
        return []
    try:
        header = json.loads(raw.decode(), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        problems.append(f"{path.name}: the header is not valid JSON: {str(error)[:200]}")
        return []
    if not isinstance(header, dict):
        problems.append(f"{path.name}: the header must be a JSON object, got {type(header).__name__}")
        return []
    header.pop("__metadata__", None)
    entries = [_entry(path, name, value, 8 + length) for name, value in header.items()]
    bad = [name for name, entry in zip(header, entries, strict=True) if entry is None]
    if bad:
        problems.append(f"{path.name}: the header's entries are malformed: {', '.join(map(repr, bad))[:2000]}")
        return []
    good = [entry for entry in entries if entry is not None]
    _check_extents(path, good, 8 + length, total, problems)
    return good


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name appears twice")
    return values


def _entry(path: Path, name: str, value: Any, data_start: int) -> Entry | None:
    """None if the header's entry is malformed, or its offsets do not match its dtype and shape."""
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        return None
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or not _is_naturals(shape) or not _is_naturals(offsets) or len(offsets) != 2:
        return None
    size = offsets[1] - offsets[0]
    if size < 0 or len(shape) > 8 or math.prod(max(n, 1) for n in shape) > _LARGEST_TENSOR:
        return None
    if dtype in ITEM_SIZES and size != math.prod(shape) * ITEM_SIZES[dtype]:
        return None
    return Entry(name, dtype, tuple(shape), path, data_start + offsets[0], size)


def _is_naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value)


def _check_extents(path: Path, entries: list[Entry], start: int, total: int, problems: list[str]) -> None:
    """Adds a problem unless the tensors cover every byte from `start` to the end of the file exactly once."""
    end = max((entry.start + entry.size for entry in entries), default=start)
    if end > total:
        problems.append(f"{path.name}: truncated: it has {total} bytes, its tensors need {end}")
        return
    position = start
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.size)):
        if entry.start != position:
            problems.append(f"{path.name}: corrupt: {entry.name} starts at byte {entry.start}, not {position}")
            return
        position += entry.size
    if position != total:
        problems.append(f"{path.name}: corrupt: {total - position} bytes belong to no tensor")


def read_data(entry: Entry, out: npt.NDArray[np.uint8] | None, report: Callable[[int], None] | None) -> bytes:
    """Returns the checksum of a tensor's bytes, and reads them into `out` [entry.size] if given.

    report: called with the size of each piece that was read. Raises CheckpointError if the file cannot be read or has
    become shorter.
    """
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
                        raise CheckpointError(f"{entry.path} was truncated while being read")
                    view = view[got:]
                checksum.update(piece)
                if report is not None:
                    report(count)
    except OSError as error:
        raise CheckpointError(f"{entry.path} cannot be read: {error.strerror}") from error
    return checksum.digest()

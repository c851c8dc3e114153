"""Compiles what the sampler and the beam step launch, ahead of time and without a GPU, and reports on it as JSON lines.

    cd tests && TRITON_INTERPRET=0 python -m support.kernels_compile 90 all

One line for each kernel and variant, without `all` for one variant of each: registers, instructions, and which
instructions there are that the contract's rounding forbids. Kernels, arguments and options are those that are
launched. The last line is of a kernel of the tests' own, from whose instructions those of one mass can be told.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import triton
import triton.language as tl
from genlib.kernels import (
    Search,
    edits_of,
    new_beam_workspace,
    new_sampled,
    new_searches,
    new_workspace,
)
from genlib.kernels.beam import device as beam_device
from genlib.kernels.row import launcher, sizes
from genlib.kernels.row.mass import mass
from genlib.kernels.row.tiles import TILE
from genlib.kernels.sampler import device
from genlib.kernels.sampler import launches as sampling
from genlib.kernels.sampler.request import SampleRequest
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

TOOLS = Path(triton.__file__).parent / "backends/nvidia/bin"
HOLDING = ("sweep", "split")  # have a tile in registers, more of them for wider logits
SAMPLER = ("sweep", "choose", "split", "finish", "tops")
BEAMS = ("beam_bounds", "beam_rows")
V = 128256
MAIN = {"PLAIN": False, "LISTS": True, "TRUNCATES": True, "LOG_SIZE": 7}  # LOG_SIZE: others only take longer
TYPES = {
    torch.float32: "fp32",
    torch.float64: "fp64",
    torch.bfloat16: "bf16",
    torch.float16: "fp16",
    torch.int32: "i32",
    torch.int64: "i64",
    torch.uint8: "u8",
    torch.uint16: "u16",
    torch.uint32: "u32",
    torch.uint64: "u64",
}


class Recorder:
    """Stands in for a kernel: keeps what it is launched with."""

    def __init__(self, kernel: Any, launches: Launches) -> None:
        self.kernel, self.launches, self.arg_names = kernel, launches, kernel.arg_names

    def __getitem__(self, grid: tuple[int, ...]) -> Any:
        return lambda *args, **options: self.launches.append((self.kernel, args, options))


Launches = list[tuple[Any, tuple[Any, ...], dict[str, Any]]]


def launches_of(module: ModuleType, names: tuple[str, ...], run: Callable[[], None]) -> Launches:
    """Kernel, arguments and options of what `run` launches of a module's kernels."""
    launches: Launches = []
    kernels = {name: getattr(module, name) for name in names}
    for name, kernel in kernels.items():
        setattr(module, name, Recorder(kernel, launches))
    run()
    for name, kernel in kernels.items():
        setattr(module, name, kernel)
    return launches


def sampler_launches(dtype: torch.dtype = torch.bfloat16) -> Launches:
    """Of calls with and without mask and edits, truncation, and the most likely tokens."""
    launches: Launches = []
    for changed, truncates, top in itertools.product((False, True), (False, True), (0, 5)):
        request = request_of(dtype, changed, truncates, top)
        workspace, out = new_workspace(request.num_rows, V, "cpu"), new_sampled(request.num_rows, top, "cpu")
        launches += launches_of(sampling, SAMPLER, functools.partial(device.run, request, workspace, out))
    return launches


def beam_launches() -> Launches:
    """Of searches so wide that each size of sort is used."""
    launches: Launches = []
    for beams in (4, 16, 32, 128):
        searches = new_searches([Search(num_beams=beams)], vocabulary=V, eos_ids=[1])
        logits, workspace = torch.zeros(beams, V, dtype=torch.bfloat16), new_beam_workspace(beams, V, "cpu")
        launches += launches_of(beam_device, BEAMS, functools.partial(beam_device.run, logits, searches, workspace))
    return launches


def all_launches() -> Iterator[tuple[str, Any, tuple[Any, ...], dict[str, Any]]]:
    """With the dtype of the logits: bfloat16; of what holds most in registers, the others too."""
    yield from (("bf16", *launch) for launch in sampler_launches() + beam_launches())
    for dtype in (torch.float32, torch.float16):
        for kernel, args, options in sampler_launches(dtype):
            if kernel.fn.__name__ in HOLDING:
                yield TYPES[dtype], kernel, args, options


def request_of(dtype: torch.dtype, changed: bool, truncates: bool, top_logprobs: int) -> SampleRequest:
    """A request of four rows in which everything that selects a compiled variant is as said."""
    S = 4
    return SampleRequest(
        logits=torch.zeros(S, V, dtype=dtype),
        temperature=torch.ones(S),
        top_k=5 if truncates else 0,
        top_p=1.0,
        min_p=0.0,
        seeds=torch.zeros(S, dtype=torch.int64),
        positions=torch.zeros(S, dtype=torch.int64),
        streams=0,
        allowed=torch.zeros(S, (V + 31) // 32, dtype=torch.int32) if changed else None,
        edits=edits_of([{1: 1.0}] * S) if changed else None,
        repetition_penalty=1.0,
        presence_penalty=0.0,
        frequency_penalty=0.0,
        top_logprobs=top_logprobs,
    )


def type_of(arg: Any) -> Any:
    """As Triton's signatures spell it."""
    if isinstance(arg, tuple):
        return type(arg)(*map(type_of, arg))
    if isinstance(arg, torch.Tensor):
        return "*" + TYPES[arg.dtype]
    return "i32" if isinstance(arg, int) else "fp32"


def alignments(arg: Any, path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The places of the arguments that a launch would find divisible by 16."""
    if isinstance(arg, tuple):
        for i, part in enumerate(arg):
            yield from alignments(part, (*path, i))
    elif isinstance(arg, torch.Tensor) or (isinstance(arg, int) and arg % 16 == 0):
        yield path


def compile_launch(kernel: Any, args: tuple[Any, ...], options: dict[str, Any], arch: int) -> Any:
    """The launch, compiled for an architecture as the launch itself would."""
    names = kernel.arg_names
    constants = {name: value for name, value in options.items() if name in names}
    signature = {name: type_of(arg) for name, arg in zip(names, args, strict=False)}
    signature |= dict.fromkeys(constants, "constexpr")
    plain = kernel.do_not_specialize
    paths = [p for i, arg in enumerate(args) for p in alignments(arg, (i,)) if names[i] not in plain and i not in plain]
    source = ASTSource(
        kernel,
        signature,
        {(names.index(name),): value for name, value in constants.items()},
        {path: [["tt.divisibility", 16]] for path in paths},
    )
    compiler_options = {name: value for name, value in options.items() if name not in names}
    return triton.compile(source, target=GPUTarget("cuda", arch, 32), options=compiler_options)


def inspect(tool: str, *arguments: str) -> str:
    """What a tool of CUDA's, as Triton brings it, says of a file."""
    return subprocess.run([TOOLS / tool, *arguments], capture_output=True, text=True, check=True).stdout


def report(compiled: Any) -> dict[str, Any]:
    """What the tests read out of a compiled kernel.

    fused: multiply-adds. One with the zero register as a factor is no arithmetic: division looks at exponents so.
    """
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        usage = inspect("cuobjdump", "-res-usage", file.name)
        sass = inspect("nvdisasm", "-c", file.name)
    resources = {name: int(n) for name, n in re.findall(r"(REG|STACK|SHARED|LOCAL):(\d+)", usage)}
    lines = re.findall(r"^\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\d+\s+)?([A-Z0-9]+)(.*)", sass, re.M)
    operations = Counter(name for name, _ in lines)
    fused = [name + rest for name, rest in lines if re.match("FFMA|HFMA", name) and not re.search(r"\bRZ,", rest)]
    ptx = compiled.asm["ptx"]
    return {
        "registers": resources["REG"],
        "local_memory": resources["LOCAL"] + operations["LDL"] + operations["STL"],
        "shared": resources["SHARED"],
        "instructions": operations.total() - operations["NOP"],
        "fused": fused,
        "loose": sorted(set(re.findall(r"\b\S*(?:fma\.|\.ftz|\.approx)\S*", ptx))),
        "wide_loads": sum(name == "LDG" and ".128" in rest for name, rest in lines),
    }


@triton.jit
def weigh(x, out, MASSES: tl.constexpr):
    """The sum of the masses of a tile; without MASSES, what is left of that kernel."""
    y = (tl.load(x + tl.arange(0, TILE)).to(tl.float32) - 1.5) * 0.7
    if MASSES:
        tl.store(out, tl.sum(mass(y)))
    else:
        tl.store(out, tl.max(y).to(tl.uint64))


def slots_per_mass(arch: int) -> float:
    """Instructions that a thread issues for one more mass in a sum."""
    x, out = torch.zeros(sizes.TILE, dtype=torch.bfloat16), torch.zeros(1, dtype=torch.uint64)
    counts = [
        report(compile_launch(weigh, (x, out), {"MASSES": masses, "num_warps": 1, **launcher.EXACT}, arch))
        for masses in (True, False)
    ]
    return (counts[0]["instructions"] - counts[1]["instructions"]) / (sizes.TILE // 32)


def main() -> None:
    """The variants for the architecture of the first argument."""
    arch, everything = int(sys.argv[1]), sys.argv[2:] == ["all"]
    seen = set()
    for dtype, kernel, args, options in all_launches():
        name = kernel.fn.__name__
        constants = {name: value for name, value in options.items() if name.isupper()}
        key = (name, dtype, *constants.items())
        is_main = dtype == "bf16" and all(MAIN.get(constant, value) == value for constant, value in constants.items())
        if key in seen or not (is_main or everything):
            continue
        seen.add(key)
        about = {"kernel": name, "variant": constants, "dtype": dtype, "arch": arch, "warps": options["num_warps"]}
        print(json.dumps(about | report(compile_launch(kernel, args, options, arch))), flush=True)
    print(json.dumps({"arch": arch, "slots_per_mass": slots_per_mass(arch)}))


if __name__ == "__main__":
    main()

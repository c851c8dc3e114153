"""What pyproject.toml cannot say: the native extension, flags of its own for each source, and where the kernels lie."""

import os
import sys
from fnmatch import fnmatch
from glob import glob

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import find_packages, setup
from setuptools.command.build_ext import build_ext

# Floating-point contraction is off everywhere: a fused multiply-add is written where it is meant, or the
# same source would give other bits on other machines.
FLAGS = [
    "-std=c++20",
    "-O3",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-g0",
    "-Wall",
    "-Wextra",
    "-Wshadow",
]
# By the source's name; what comes later counts. Bindings only carry arguments over: their templates take long
# to optimise, for nothing.
UNIT_FLAGS = {
    "csrc/bindings/*": ["-O1"],
    "csrc/cpu/widths/avx512.cpp": [
        "-mavx512f",
        "-mavx512bw",
        "-mavx512vl",
        "-mavx512dq",
        "-mfma",
        "-mf16c",
        "-mprefer-vector-width=512",
    ],
    "csrc/cpu/widths/avx2.cpp": ["-mavx2", "-mfma", "-mf16c"],
}
# -g1: the lines of a finding, which is all that is asked of them; full debugging data take as long again.
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g1", "-O1"]
SANITIZE_UNIT_FLAGS = {"csrc/bindings/*": ["-O0"]}


def flags_of(source):
    """All flags of a source, by its name."""
    sanitize = bool(os.environ.get("GENLIB_SANITIZE"))
    flags = FLAGS + (["-Werror"] if os.environ.get("GENLIB_WERROR") else [])
    for units in (UNIT_FLAGS, {"*": SANITIZE}, SANITIZE_UNIT_FLAGS)[: 3 if sanitize else 1]:
        flags = flags + [flag for name, more in units.items() if fnmatch(source, name) for flag in more]
    return flags


def is_stale(obj, source):
    """Whether an object is older than its source, any header, or the flags."""
    newest = max(os.path.getmtime(path) for path in [source, "setup.py", *glob("csrc/**/*.h", recursive=True)])
    return not os.path.exists(obj) or os.path.getmtime(obj) < newest


def packages_in(folder, name):
    """The package `name`, whose files lie in `folder`, and all packages below it: a new one needs no entry here."""
    return [name, *(f"{name}.{inner}" for inner in find_packages(folder))]


ParallelCompile(default=0, needs_recompile=is_stale).install()


class build_ext_by_unit(build_ext):  # noqa: N801 (setuptools names commands this way)
    """Compiles each source with flags of its own, all of them in parallel over the cores."""

    def build_extension(self, ext):
        if os.uname().machine not in ("x86_64", "amd64"):
            ext.sources = [source for source in ext.sources if "/avx" not in source]
        system = [f"-isystem{path}" for path in ext.include_dirs]
        ext.include_dirs, ext.extra_compile_args = ["csrc"], []
        ext.extra_link_args += ["-pthread", *(SANITIZE if os.environ.get("GENLIB_SANITIZE") else [])]
        compile_one = self.compiler._compile

        def compile_unit(obj, source, suffix, options, extra, defines):
            compile_one(obj, source, suffix, options, flags_of(source) + system + extra, defines)

        self.compiler._compile = compile_unit
        self.force = True  # is_stale says what to compile; setuptools would not look at the headers
        super().build_extension(ext)


if sys.platform == "win32":
    raise SystemExit("genlib builds on Linux and macOS; on Windows use WSL")

setup(
    packages=packages_in("genlib", "genlib") + packages_in("kernels", "genlib.kernels"),
    package_dir={"genlib.kernels": "kernels"},
    package_data={
        "genlib": ["py.typed", "*.pyi"],
        "genlib.default_model": ["*.json", "*.safetensors", "*.md"],
    },
    ext_modules=[Pybind11Extension("genlib._native", sorted(glob("csrc/**/*.cpp", recursive=True)))],
    cmdclass={"build_ext": build_ext_by_unit},
)

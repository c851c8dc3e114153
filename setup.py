"""What pyproject.toml cannot say: the native extension, one vector width per object, and where the kernels lie."""

import os
import sys
from glob import glob

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import setup
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
VECTOR_FLAGS = {
    "_avx512.cpp": [
        "-mavx512f",
        "-mavx512bw",
        "-mavx512vl",
        "-mavx512dq",
        "-mfma",
        "-mf16c",
        "-mprefer-vector-width=512",
    ],
    "_avx2.cpp": ["-mavx2", "-mfma", "-mf16c"],
}
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g", "-O1"]


def is_stale(obj, source):
    """Whether an object is older than its source or any header."""
    newest = max(os.path.getmtime(path) for path in [source, *glob("csrc/**/*.h", recursive=True)])
    return not os.path.exists(obj) or os.path.getmtime(obj) < newest


ParallelCompile(default=0, needs_recompile=is_stale).install()


class build_ext_by_width(build_ext):  # noqa: N801 (setuptools names commands this way)
    """Compiles each source with the flags of the vector width in its name, in parallel over the cores."""

    def build_extension(self, ext):
        flags = FLAGS + (["-Werror"] if os.environ.get("GENLIB_WERROR") else [])
        flags += SANITIZE if os.environ.get("GENLIB_SANITIZE") else []
        on_x86 = os.uname().machine in ("x86_64", "amd64")
        groups = {}
        for source in ext.sources:
            suffix = next((s for s in VECTOR_FLAGS if source.endswith(s)), "")
            if on_x86 or not suffix:
                groups.setdefault(suffix, []).append(source)
        ext.sources = []
        for suffix, sources in groups.items():
            ext.extra_objects += self.compiler.compile(
                sources,
                output_dir=self.build_temp,
                macros=ext.define_macros,
                include_dirs=["csrc"],
                extra_postargs=flags + VECTOR_FLAGS.get(suffix, []) + [f"-isystem{d}" for d in ext.include_dirs],
            )
        ext.extra_link_args += ["-pthread", *(SANITIZE if os.environ.get("GENLIB_SANITIZE") else [])]
        self.force = True  # sources are objects now, so it would see nothing that is newer
        super().build_extension(ext)


if sys.platform == "win32":
    raise SystemExit("genlib builds on Linux and macOS; on Windows use WSL")

setup(
    packages=[
        "genlib",
        "genlib.ops",
        "genlib.model",
        "genlib.server",
        "genlib.kernels",
        "genlib.default_model",
    ],
    package_dir={"genlib": "genlib", "genlib.kernels": "kernels"},
    package_data={
        "genlib": ["py.typed", "*.pyi"],
        "genlib.default_model": ["*.json", "*.safetensors", "*.md"],
    },
    ext_modules=[Pybind11Extension("genlib._native", sorted(glob("csrc/**/*.cpp", recursive=True)))],
    cmdclass={"build_ext": build_ext_by_width},
)

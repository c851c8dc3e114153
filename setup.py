"""What pyproject.toml cannot say: the native extension, flags of its own for each unit, and where the kernels lie."""

import os
import shlex
import shutil
import sys
import sysconfig
from fnmatch import fnmatch
from glob import glob
from itertools import count

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
# By the unit's path; what comes later counts. Bindings only carry arguments over: their templates take long
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

HEADERS = sorted(glob("csrc/**/*.h", recursive=True))
UNITS = sorted(glob("csrc/**/*.cpp", recursive=True))
COMMANDS_THAT_COMPILE = {"build", "build_ext", "bdist_wheel", "editable_wheel", "install", "develop"}


def require_compiler():
    """Ends with one line, before anything is built, where there is no compiler to build with."""
    compiler = shlex.split(os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++")[0]
    if not shutil.which(compiler):
        raise SystemExit(
            f"genlib needs a C++20 compiler, and there is no `{compiler}`. Install one (Debian, Ubuntu: "
            "apt install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install) or name yours in CXX."
        )


def flags_of(source):
    """All flags of a source, by its path."""
    sanitize = bool(os.environ.get("GENLIB_SANITIZE"))
    flags = FLAGS + (["-Werror"] if os.environ.get("GENLIB_WERROR") else [])
    for units in (UNIT_FLAGS, {"*": SANITIZE}, SANITIZE_UNIT_FLAGS)[: 3 if sanitize else 1]:
        flags = flags + [flag for name, more in units.items() if fnmatch(source, name) for flag in more]
    return flags


def is_stale(obj, source):
    """Whether an object is older than its source, any header, or the flags."""
    newest = max(os.path.getmtime(path) for path in [source, "setup.py", *HEADERS])
    return not os.path.exists(obj) or os.path.getmtime(obj) < newest


def packages_in(folder, name):
    """The package `name`, whose files lie in `folder`, and all packages below it: a new one needs no entry here."""
    return [name, *(f"{name}.{inner}" for inner in find_packages(folder))]


class build_ext_by_unit(build_ext):  # noqa: N801 (setuptools names commands this way)
    """Compiles each unit with flags of its own, all of them in parallel over the cores, and says which."""

    def finalize_options(self):
        super().finalize_options()
        if self.inplace or self.editable_mode:  # what one of these has compiled, the other finds
            self.build_temp = os.path.join("build", sys.implementation.cache_tag)

    def build_extension(self, ext):
        if os.uname().machine not in ("x86_64", "amd64"):
            ext.sources = [source for source in ext.sources if "/avx" not in source]
        system = [f"-isystem{path}" for path in ext.include_dirs]
        ext.include_dirs, ext.extra_compile_args = ["csrc"], []
        ext.extra_link_args += ["-pthread", *(SANITIZE if os.environ.get("GENLIB_SANITIZE") else [])]
        compile_one, numbers = self.compiler._compile, count(1)
        objects = self.compiler.object_filenames(ext.sources, output_dir=self.build_temp)
        total = sum(map(is_stale, objects, ext.sources))

        def compile_unit(obj, source, suffix, options, extra, defines):
            print(f"[{next(numbers)}/{total}] {source}\n", end="", flush=True)  # in one piece, from any thread
            compile_one(obj, source, suffix, options, flags_of(source) + system + extra, defines)

        self.compiler._compile = compile_unit
        self.force = True  # is_stale says what to compile; setuptools would not look at the headers
        super().build_extension(ext)


if sys.platform == "win32":
    raise SystemExit("genlib builds on Linux and macOS; on Windows use WSL")
if COMMANDS_THAT_COMPILE & set(sys.argv):
    require_compiler()
ParallelCompile(default=0, needs_recompile=is_stale).install()

setup(
    packages=packages_in("genlib", "genlib") + packages_in("kernels", "genlib.kernels"),
    package_dir={"genlib.kernels": "kernels"},
    package_data={
        "genlib": ["py.typed", "*.pyi"],
        "genlib.default_model": ["*.json", "*.safetensors", "*.md"],
    },
    ext_modules=[Pybind11Extension("genlib._native", UNITS, depends=HEADERS)],
    cmdclass={"build_ext": build_ext_by_unit},
)

"""Soft caps that are kept: a file up to 250 lines, a function up to 35, a Triton kernel up to 120.

What is longer is named here with its reason, and only as long as it is longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.lengths import Function, cpp_functions, python_functions
from support.paths import ROOT

FILE, FUNCTION, KERNEL = 250, 35, 120  # lines; support/lengths.py says which are counted
FOLDERS = ["genlib", "kernels", "csrc", "bench", "tools", "tests"]
ENDINGS = (".py", ".cpp", ".h")

# path or path:function → why it may be longer.
EXCEPTIONS = {
    "bench/bench_generate.py:measure": "to be split",
    "tests/house/test_bench_sampling.py": "to be split",
    "tests/kernels/test_beam_api.py": "to be split",
    "tests/kernels/test_sampling.py": "to be split",
}


def sources() -> Iterator[Path]:
    yield ROOT / "setup.py"
    for folder in FOLDERS:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in ENDINGS)


def too_long(path: Path) -> dict[str, int]:
    """The file and those of its functions that are longer than their caps, and how long they are."""
    name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    found = {name: lines} if (lines := text.count("\n")) > FILE else {}
    for function in python_functions(text) if path.suffix == ".py" else cpp_functions(text):
        if function.lines > (KERNEL if function.is_kernel else FUNCTION):
            found[f"{name}:{function.name}"] = function.lines
    return found


def test_nothing_is_longer_than_its_cap() -> None:
    found = {name: lines for path in sources() for name, lines in too_long(path).items()}
    assert {name: lines for name, lines in found.items() if name not in EXCEPTIONS} == {}
    assert EXCEPTIONS.keys() - found.keys() == set(), "no longer needed as exceptions"


PYTHON = """
class Kind:
    @decorated
    def method(
        self,
    ):
        \"\"\"Two lines
        of docstring.\"\"\"
        @decorated
        def inner():
            return 1

        return inner

@triton.jit
def kernel(x):
    pass
"""

CPP = """
namespace a {
class Kind : public Base {
 public:
  explicit Kind(int n)
      : n_(n) {}
  int get() const {
    // } {
    if (n_ > 0) {
      return '{';
    }
    return 0;
  }
  int n_ = 0;
};
constexpr int kTable[] = {1, 2, 3};
template <typename T>
[[gnu::noinline]] static T twice(
    T x) {
  return 2 * x;
}
}  // namespace a
"""


@pytest.mark.parametrize(
    ("count", "text", "expected"),
    [
        (
            python_functions,
            PYTHON,
            [Function("Kind.method", 5), Function("Kind.method.inner", 1), Function("kernel", 1, True)],
        ),
        (cpp_functions, CPP, [Function("Kind", 0), Function("get", 5), Function("twice", 1)]),
    ],
    ids=["python", "c++"],
)
def test_what_is_counted(count, text, expected) -> None:  # type: ignore[no-untyped-def]
    assert list(count(text)) == expected

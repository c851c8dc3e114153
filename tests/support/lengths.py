"""How long files and functions are, in Python and in C++.

A function's lines are those of its body, from the first statement behind the docstring to the last: its signature,
decorators and docstring are not counted; comments and empty lines between the statements are. A function within a
function counts as part of the outer one too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    name: str
    lines: int
    is_kernel: bool = False


def is_kernel(node: FUNCTION) -> bool:
    """Whether Triton compiles it: decorated by `triton.jit`, called or not, or by a `jit` imported from there."""
    names = {ast.unparse(d.func if isinstance(d, ast.Call) else d).rpartition(".")[2] for d in node.decorator_list}
    return "jit" in names


def body_lines(node: FUNCTION) -> int:
    body = node.body
    first = body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    if is_docstring and isinstance(first.value.value, str):
        body = body[1:]
    if not body:
        return 0
    decorators = getattr(body[0], "decorator_list", [])
    start = min([body[0].lineno, *(d.lineno for d in decorators)])
    return (body[-1].end_lineno or start) - start + 1


def python_functions(text: str) -> Iterator[Function]:
    def walk(node: ast.AST, prefix: str) -> Iterator[Function]:
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, FUNCTION | ast.ClassDef):
                inner = f"{prefix}{child.name}."
            if isinstance(child, FUNCTION):
                yield Function(inner[:-1], body_lines(child), is_kernel(child))
            yield from walk(child, inner)

    return walk(ast.parse(text), "")


def without_words(text: str) -> str:
    """C++ without comments, strings and preprocessor lines, on the same lines."""
    text = re.sub(r"^[ \t]*#(?:.*\\\n)*.*", lambda m: "\n" * m[0].count("\n"), text, flags=re.MULTILINE)
    return re.sub(r'//.*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'', '""', text)


NO_FUNCTION = re.compile(r"\b(?:namespace|struct|class|enum|union)\b[^()]*$|=\s*$")


def function_name(head: str) -> str | None:
    """The name in what stands before a brace outside of any function, if that brace opens a function's body."""
    if NO_FUNCTION.search(head):
        return None
    found = re.search(r"(~?[\w:]*(?:operator\s*\S+?)?)\s*\(", re.sub(r"\[\[.*?\]\]", "", head))
    return found[1] if found else None


def cpp_functions(text: str) -> Iterator[Function]:
    """Functions by their outermost braces: those of namespaces and classes hold functions and are none."""
    depth, start, name = 0, 0, ""  # of the function that is open; depth 0: none is
    line, head = 1, ""
    for mark in re.findall(r"[{};\n]|[^{};\n]+", without_words(text)):
        line += mark == "\n"
        if depth > 0:
            depth += {"{": 1, "}": -1}.get(mark, 0)
            if depth == 0:
                yield Function(name, max(0, line - start - 1))
                head = ""
        elif mark == "{" and (found := function_name(head)) is not None:
            depth, start, name = 1, line, found
        elif mark in "{};":
            head = ""
        else:
            head += mark

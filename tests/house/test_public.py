"""What the package promises about itself: names, versions, what an import costs."""

from __future__ import annotations

import ast
import doctest
import importlib.metadata
import re
import subprocess
import sys

import pytest
from support.paths import ROOT

import genlib
from genlib import _native


def test_all_is_sorted_and_importable():
    assert genlib.__all__ == sorted(genlib.__all__)
    assert all(hasattr(genlib, name) for name in genlib.__all__)


def test_the_version_is_one():
    assert importlib.metadata.version("genlib") == genlib.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(r"^## (\d\S*)", changelog, re.MULTILINE)[1] == genlib.__version__


def test_importing_needs_no_torch_and_no_server():
    heavy = "torch, triton, starlette, msgspec, uvicorn, prometheus_client, transformers, safetensors"
    code = f"import sys\nfor name in '{heavy}'.split(', '): sys.modules[name] = None\n"
    code += "import genlib\nwith genlib.Engine(threads=1) as e: genlib.generate_token(e.create_state('A'), seed=1)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_kernels_are_one_package():
    subprocess.run([sys.executable, "-c", "import genlib.kernels"], check=True, cwd=ROOT.parent)
    alone = subprocess.run(
        [sys.executable, "-c", "import kernels"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "genlib.kernels" in alone.stderr


def test_the_session_in_the_readme_is_what_happens():
    """The embedded model's draws are the same on every x86-64 machine, so its words can be promised."""
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(>>>.*?)```", text, re.DOTALL)
    session = doctest.DocTestParser().get_doctest("".join(blocks), {}, "README", "README.md", 0)
    assert len(blocks) == 3
    assert len(session.examples) >= 8
    report = doctest.DocTestRunner().run(session, clear_globs=False)
    session.globs["engine"].close()
    assert report.failed == 0


def public(names: list[str]) -> set[str]:
    return {n for n in names if not n.startswith("_")}


def stubs() -> dict[str, ast.AST]:
    tree = ast.parse((ROOT / "genlib" / "_native.pyi").read_text())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign):
            found[node.target.id] = node
    return found


def test_the_stub_names_what_the_extension_has():
    described = stubs()
    assert public(list(described)) == public(dir(_native))
    for name, node in described.items():
        if isinstance(node, ast.ClassDef) and not issubclass(getattr(_native, name), Exception):
            members = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
            assert public(list(members)) == public(dir(getattr(_native, name))), name


@pytest.mark.parametrize("document", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/design.md"])
def test_links_in_documents_lead_somewhere(document):
    text = (ROOT / document).read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / document).parent / link).exists(), link

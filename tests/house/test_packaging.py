"""What is handed out holds what it needs: the source distribution, and the one line for those without a compiler.

`make dist` goes on from here: it compiles the source distribution elsewhere and generates with it, which takes minutes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
from support.paths import ROOT

SHIPPED = ["csrc", "genlib", "kernels", "docs"]
DOCUMENTS = {"LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CITATION.cff"}
ALONE = DOCUMENTS | {"constraints.txt", "pyproject.toml", "setup.py"}


def setup(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "setup.py", "-q", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False, capture_output=True, text=True)


def in_git(*folders: str) -> set[str]:
    """Files of the working tree that git tracks, or would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return {path for path in listed if (ROOT / path).exists()}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Files of the source distribution."""
    pytest.importorskip("setuptools")
    pytest.importorskip("pybind11")
    room = tmp_path_factory.mktemp("sdist")
    done = setup("egg_info", "--egg-base", str(room), "sdist", "--dist-dir", str(room))
    assert done.returncode == 0, done.stderr
    (archive,) = room.glob("genlib-*.tar.gz")
    with tarfile.open(archive) as files:
        return {str(Path(*Path(member.name).parts[1:])) for member in files if member.isfile()}


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="needs a git checkout")
@pytest.mark.parametrize("folder", SHIPPED)
def test_the_source_distribution_holds_all_that_git_has(folder: str, packed: set[str]) -> None:
    assert {path for path in packed if path.startswith(f"{folder}/")} == in_git(folder)


def test_the_source_distribution_holds_what_builders_read(packed: set[str]) -> None:
    assert packed >= ALONE


def test_the_citation_agrees_with_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = dict(re.findall(r"^([a-z-]+): (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE))
    assert cited["version"] == project["version"]
    assert cited["license"] == project["license"]
    assert cited["repository-code"] == project["urls"]["Homepage"]


def test_without_a_compiler_one_line_says_what_to_install(tmp_path: Path) -> None:
    done = setup("build_ext", "--build-lib", str(tmp_path), CXX="/nonexistent/c++")
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    for package in ("`/nonexistent/c++`", "g++", "gcc-c++", "xcode-select --install"):
        assert package in done.stderr

"""The documents name files that exist, the layout in docs/design.md names every room, and lines are not too long.

A name counts if it stands in backticks or in a code block, and has an ending of our files, or ends with a slash, or
begins with a folder of the repository. It may be a pattern, `*.inc.h`. It is looked for below the root, the document's
own folder, genlib/ and csrc/; else it must be the end of exactly one path, or a pattern that matches something. Routes
(`/openapi.json`), addresses, the home folder and names with placeholders (`<machine>.jsonl`) are no files of ours.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.paths import ROOT

FOLDERS = (".ci", "bench", "csrc", "docs", "genlib", "kernels", "tests", "tools")
ENDINGS = (".cpp", ".h", ".json", ".jsonl", ".md", ".py", ".pyi", ".safetensors", ".sh", ".toml", ".txt", ".in")
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
MADE = {"gpu.json"}  # by the commands that the documents show
WIDTH = 110


def title(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def named_files(text: str) -> set[str]:
    """The names of files and folders in a document."""
    fence = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    code = [*fence.findall(text), *re.findall(r"`([^`]+)`", fence.sub("", text))]
    words = {word for part in code for word in re.findall(r"(?<![\w./~<>{}:-])[\w.*][\w.*/-]*(?![\w<>{}(])", part)}
    return {
        word for word in words if word.endswith((*ENDINGS, "/")) or word.startswith(tuple(f"{f}/" for f in FOLDERS))
    }


def is_there(name: str, document: Path) -> bool:
    if any(found for base in (ROOT, document.parent, ROOT / "genlib", ROOT / "csrc") for found in base.glob(name)):
        return True
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob(name)]
    return len(found) == 1 or ("*" in name and found != [])


def rooms() -> set[str]:
    """Every file and folder of genlib/, and every folder of csrc/, kernels/ and tests/ that holds sources."""
    sources = [path for folder in ("csrc", "kernels", "tests") for path in (ROOT / folder).rglob("*.*")]
    folders = {path.parent for path in sources if path.suffix in (".cpp", ".h", ".py")}
    folders |= {path.parent for path in (ROOT / "genlib").glob("*/*.py")}
    return {title(path) for path in (ROOT / "genlib").glob("*.py*")} | {f"{title(path)}/" for path in folders}


def too_long(text: str) -> list[str]:
    """Lines beyond the width, but for code blocks and tables; of a link, the text alone counts."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = re.sub(r"\]\([^)]*\)", "]", prose).splitlines()
    return [line for line in lines if len(line) > WIDTH and not line.startswith("|")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_what_is_named_exists(document: Path) -> None:
    names = named_files(document.read_text(encoding="utf-8")) - MADE
    assert {name for name in names if not is_there(name, document)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert {link for link in links if not (document.parent / link).exists()} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_lines_are_not_too_long(document: Path) -> None:
    assert too_long(document.read_text(encoding="utf-8")) == []


def test_the_layout_names_every_room() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    layout = text.partition("## 3. Layout")[2].partition("## 4.")[0]
    words = set(layout.split())
    assert rooms() - words == set()


def test_what_is_a_name() -> None:
    text = "`genlib/a.py` a.py `b/` `/v1/x.json` `out.token`\n```\nc.sh <x>.jsonl ~/d/ e.h: csrc/f\n```\n"
    assert named_files(text) == {"genlib/a.py", "b/", "c.sh", "e.h", "csrc/f"}

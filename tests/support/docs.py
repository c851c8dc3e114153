"""The examples of docs/kernels.md."""

from __future__ import annotations

import doctest
import re
from typing import Any

from support.paths import ROOT

TEXT = (ROOT / "docs" / "kernels.md").read_text()
SAMPLER, BEAMS = TEXT.split("\n## The beam step\n")


def run_session(device: str) -> tuple[int, dict[str, Any]]:
    """The session of "Using the kernel alone" on a device: how many of its answers are others, and its names."""
    blocks = re.findall(r"```python\n(>>>.*?)```", SAMPLER, re.DOTALL)
    text = "".join(blocks).replace('device = 4, 1000, "cpu"', f'device = 4, 1000, "{device}"')
    session = doctest.DocTestParser().get_doctest(text, {}, "docs/kernels.md", None, 0)
    assert len(blocks) == 2
    assert f'"{device}"  #' in text
    failed = doctest.DocTestRunner().run(session, clear_globs=False).failed
    return failed, session.globs


def run_beams() -> int:
    """The session of "Using the beam step alone": how many of its answers are others."""
    (block,) = re.findall(r"```python\n(>>>.*?)```", BEAMS, re.DOTALL)
    session = doctest.DocTestParser().get_doctest(block, {}, "docs/kernels.md", None, 0)
    assert len(session.examples) == 7
    return doctest.DocTestRunner().run(session).failed


def graph_example() -> str:
    """The block that needs a GPU, to be run with the names of the session on one."""
    (block,) = re.findall(r"```python\n(# needs an NVIDIA GPU.*?)```", TEXT, re.DOTALL)
    return str(block)

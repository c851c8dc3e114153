"""The examples of docs/kernels.md."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "kernels.md").read_text()


def run_session(device: str) -> tuple[int, dict[str, Any]]:
    """The session of "Using the kernel alone" on a device: how many of its answers are others, and its names."""
    blocks = re.findall(r"```python\n(>>>.*?)```", TEXT, re.DOTALL)
    text = "".join(blocks).replace('device = 4, 1000, "cpu"', f'device = 4, 1000, "{device}"')
    session = doctest.DocTestParser().get_doctest(text, {}, "docs/kernels.md", None, 0)
    assert len(blocks) == 2
    assert f'"{device}"  #' in text
    failed = doctest.DocTestRunner().run(session, clear_globs=False).failed
    return failed, session.globs


def graph_example() -> str:
    """The block that needs a GPU, to be run with the names of the session on one."""
    (block,) = re.findall(r"```python\n(# needs an NVIDIA GPU.*?)```", TEXT, re.DOTALL)
    return str(block)

"""The examples of docs/kernels.md are what happens."""

from __future__ import annotations

import ast

from support.docs import graph_example, run_beams, run_session


def test_the_session_is_what_happens() -> None:
    failed, names = run_session("cpu")
    assert failed == 0
    assert names["positions"].tolist() == [16, 34, 4, 15]


def test_the_graph_s_example_uses_names_of_the_session() -> None:
    """It runs on a GPU only (test_gpu_calls.py)."""
    names = run_session("cpu")[1]
    tree = ast.parse(graph_example())
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    stored |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert used - stored <= names.keys()


def test_the_beams_are_what_happens() -> None:
    assert run_beams() == 0

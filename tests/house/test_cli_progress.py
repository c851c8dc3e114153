"""The line that shows how far a model is loaded: on a terminal only, and gone in the end."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from support.checkpoints import make_checkpoint

import genlib
from genlib.cli import main, progress
from genlib.cli.progress import Line, shown


class Terminal(io.StringIO):
    """Shows what is written: one line, from the last carriage return on over what was there."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError("not a device")

    @property
    def lines(self) -> list[str]:
        """What the line has shown, one state after another."""
        line, seen = "", []
        for text in self.getvalue().split("\r"):
            line = text + line[len(text) :]
            seen.append(line.rstrip())
        return seen


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "PATIENCE", 0)
    monkeypatch.setattr(progress, "PERIOD", 0)


def test_progress_counts_every_byte_once(tmp_path: Path) -> None:
    """Also of a head that is tied, which is read to be compared with the embeddings, and again to be used."""
    make_checkpoint(tmp_path, "qwen2", tie_word_embeddings=True)
    told: list[tuple[int, int]] = []
    with genlib.Engine(tmp_path, threads=1, on_progress=lambda *numbers: told.append(numbers)):
        pass
    size = (tmp_path / "model.safetensors").stat().st_size
    assert [read for read, _ in told] == sorted({read for read, _ in told})
    ((read, total),) = told[-1:]
    assert read == total
    assert 0 < size - total < 10_000  # the header
    assert {whole for _, whole in told} == {total}


def test_what_the_callback_raises_is_raised(tmp_path: Path) -> None:
    def stop(read: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        genlib.Engine(threads=1, on_progress=stop)


@pytest.mark.usefixtures("at_once")
def test_a_line_that_is_written_over_and_gone() -> None:
    terminal = Terminal()
    with shown(terminal) as update:
        assert update is not None
        update(1_500_000_000, 4_000_000_000)
        update(12_300_000, 4_000_000_000)  # shorter
    assert terminal.lines == [
        "",
        "genlib: loading the model, 1.5 GB of 4.0 GB (37 %)",
        "genlib: loading the model, 12.3 MB of 4.0 GB (0 %)",
        "",
        "",
    ]
    assert terminal.getvalue().endswith("\r")
    assert "\n" not in terminal.getvalue()


def test_what_loads_fast_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "PATIENCE", 1000)
    terminal = Terminal()
    with shown(terminal) as update:
        assert update is not None
        update(1, 1)
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("at_once")
def test_no_terminal_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (None, io.StringIO()):
        with shown(stream) as update:
            assert update is None
    monkeypatch.setenv("TERM", "dumb")
    with shown(Terminal()) as update:
        assert update is None


@pytest.mark.usefixtures("at_once")
def test_a_narrow_or_broken_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_columns", lambda _: 20)
    terminal = Terminal()
    line = Line(terminal)
    line.update(5, 10)
    assert terminal.lines[-1] == "genlib: loading the"

    def broken(_: str) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(terminal, "write", broken)
    line.update(6, 10)
    line.clear()


@pytest.mark.usefixtures("at_once")
def test_the_command_line_shows_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["generate", "A", "--max-tokens", "2", "--seed", "1", "--threads", "1"]) == 0
    with_line = capsys.readouterr().out
    assert any("loading the model" in line for line in terminal.lines)
    assert terminal.lines[-1] == ""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert main(["generate", "A", "--max-tokens", "2", "--seed", "1", "--threads", "1"]) == 0
    assert sys.stderr.getvalue() == ""
    assert capsys.readouterr().out == with_line

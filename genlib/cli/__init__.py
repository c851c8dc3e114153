"""The command line: main.py dispatches to one file per command; engine.py has the options they share."""

from .main import main

__all__ = ["main"]

"""The calls for Python callers: one file each, and arguments.py, what they share."""

from .beam import beam_search
from .multi import generate_multi
from .token import generate_token
from .tokens import generate_tokens

__all__ = ["beam_search", "generate_multi", "generate_token", "generate_tokens"]

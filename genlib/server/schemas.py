"""What JSON Schema says of request bodies besides their fields: how these depend on each other.

That a field is at most another can be said only for one value of the other: its default.
"""

from __future__ import annotations

from typing import Any

from .. import defaults
from .fields import ROOM, length_penalties


def exactly_one(**types: str) -> dict[str, Any]:
    """JSON Schema keywords: one of the fields, of this type, and the others absent or null."""
    null = {"type": "null"}
    return {
        "oneOf": [
            {"required": [name], "properties": {other: {"type": kind} if other == name else null for other in types}}
            for name, kind in types.items()
        ]
    }


def while_default(name: str, default: int, **properties: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema keywords: what holds of other fields while this one has its default."""
    return {"if": {"properties": {name: {"const": default}}}, "then": {"properties": properties}}


CREATE = exactly_one(prompt="string", tokens="array")
SCORE = exactly_one(text="string", texts="array")
_TARGET = exactly_one(state_id="string", prompt="string", tokens="array")
_TOKENS = {"maxItems": ROOM}
DRAW = _TARGET | {
    "allOf": [
        while_default("max_tokens", defaults.MAX_TOKENS, min_tokens={"maximum": defaults.MAX_TOKENS}, tokens=_TOKENS)
    ]
}
BEAM = _TARGET | {
    "allOf": [
        while_default("num_beams", defaults.NUM_BEAMS, num_return={"maximum": defaults.NUM_BEAMS}),
        while_default(
            "max_length",
            defaults.MAX_LENGTH,
            length_penalty=length_penalties(defaults.MAX_LENGTH),
            tokens=_TOKENS,
        ),
    ]
}

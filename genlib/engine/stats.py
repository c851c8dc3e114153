"""An engine's counters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineStats:
    """What an engine is doing. Pages are free if nobody holds them, though they may still be found again."""

    num_states: int
    running: int
    waiting: int
    pages_total: int
    pages_free: int
    page_bytes: int
    steps: int
    prompt_tokens: int
    generated_tokens: int
    last_step_age: float
    uptime: float

"""What one beam search is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from genlib.checks import check_int, is_number, refuse
from genlib.ops.searches import EarlyStopping


@dataclass(frozen=True, slots=True)
class Search:
    """One beam search, in the terms of `genlib.beam_search`; stop sequences are bytes.

    max_length: most new tokens. Raises InvalidRequest that names the field.
    """

    num_beams: int = 4
    max_length: int = 16
    early_stopping: EarlyStopping = False
    length_penalty: float = 1.0
    stop_sequences: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        check_int("num_beams", self.num_beams, 1)
        check_int("max_length", self.max_length, 1)
        if self.early_stopping != "never" and not isinstance(self.early_stopping, bool):
            raise refuse("early_stopping", 'be true, false or "never"', self.early_stopping)
        if not is_number(self.length_penalty):
            raise refuse("length_penalty", "be a finite number", self.length_penalty)
        if not isinstance(self.stop_sequences, tuple):
            raise refuse("stop_sequences", "be a tuple of bytes", self.stop_sequences)
        for i, stop in enumerate(self.stop_sequences):
            if not isinstance(stop, bytes) or not stop:
                raise refuse(f"stop_sequences[{i}]", "be bytes that are not empty", stop)

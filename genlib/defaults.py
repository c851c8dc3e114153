"""Default values of the calls' parameters, shared by the Python API, the HTTP API and the command line."""

from __future__ import annotations

from typing import Final, Literal

# generate_token and generate_multi.
MAX_TOKENS: Final = 16
MIN_TOKENS: Final = 0
TEMPERATURE: Final = 1.0
TOP_P: Final = 1.0
TOP_K: Final = 0
MIN_P: Final = 0.0
REPETITION_PENALTY: Final = 1.0
PRESENCE_PENALTY: Final = 0.0
FREQUENCY_PENALTY: Final = 0.0
TOP_LOGPROBS: Final = 0
PROBABILITY: Final[Literal["model", "sampling"]] = "model"
NUM_CONTINUATIONS: Final = 1

# beam_search.
NUM_BEAMS: Final = 4
MAX_LENGTH: Final = 16
EARLY_STOPPING: Final = False
LENGTH_PENALTY: Final = 1.0

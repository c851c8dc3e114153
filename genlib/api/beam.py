"""beam_search."""

from __future__ import annotations

from collections.abc import Sequence

from .. import defaults
from ..calls.names import suggesting
from ..calls.requests import BeamSearch
from ..calls.results import BeamResult
from ..ops.searches import EarlyStopping
from ..states.state import State
from .arguments import as_given, engine_of


@suggesting()
def beam_search(
    state: State,
    *,
    num_beams: int = defaults.NUM_BEAMS,
    max_length: int = defaults.MAX_LENGTH,
    early_stopping: EarlyStopping = defaults.EARLY_STOPPING,
    length_penalty: float = defaults.LENGTH_PENALTY,
    num_return: int | None = None,
    stop_sequences: Sequence[str] | None = None,
    keep_states: bool = False,
    timeout: float | None = None,
) -> BeamResult:
    """Searches for the most likely continuations of a state, which is left unchanged.

    The search is that of transformers' `generate(num_beams=...)`, token for token.

        num_beams: 1 to the engine's max_batch; 1 is greedy decoding. Default 4.
        max_length: maximum number of new tokens; tokens already in the state do not count. At least 1. Default 16.
        early_stopping: True stops once num_beams hypotheses are finished; False (default) once no running beam is
            likely to beat them; "never" once none can.
        length_penalty: a score is the sum of log-probabilities divided by length ** length_penalty, where length
            counts new tokens. It must keep that divisor from 1e-4 to 1e30. Default 1.
        num_return: number of beams to return; 1 to num_beams. None (default) returns num_beams.
        stop_sequences: strings that finish a hypothesis, as for generate_token. Default: the state's own.
        keep_states: also keep each returned beam as a new state (`.states`), with its KV cache in place. Default False.
        timeout: end the call with CallTimeout after this many seconds. Default None (never).

    Raises the same errors as generate_multi, except TokenMaskError.
    """
    request = BeamSearch(
        state,
        num_beams=num_beams,
        max_length=max_length,
        early_stopping=early_stopping,
        length_penalty=length_penalty,
        num_return=num_return,
        stop_sequences=as_given(stop_sequences),
        keep_states=keep_states,
    )
    return engine_of(state).run(request, timeout=timeout)

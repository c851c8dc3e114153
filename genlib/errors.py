"""The errors, drawn once. Each class carries its HTTP status and a stable code.

GenlibError
├── InvalidRequest          400  invalid_parameter          also a ValueError; `.param` names the field
│   ├── UnknownField        400  unknown_field
│   └── ContextLengthExceeded 400 context_length_exceeded
├── StateNotFound           404  state_not_found            also a KeyError
├── StateBusy               409  state_busy
├── QueueFull               429  queue_full                 `.retry_after` in seconds
├── OutOfCapacity           503  out_of_capacity
├── EngineClosed            503  closed
├── CallCancelled           499  cancelled
├── TokenMaskError          500  token_mask_error
├── ModelError              500  model_error
├── CheckpointError         500  checkpoint_error           also a ValueError
└── BackendError            500  backend_error
"""

from __future__ import annotations

from typing import ClassVar


class GenlibError(Exception):
    """Base of every error that genlib raises on purpose.

    `status` is the HTTP status, `code` a stable word for programs, `param` the field at fault or None.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    def __str__(self) -> str:
        return self.message


class InvalidRequest(GenlibError, ValueError):
    """A parameter is of the wrong type, out of range, or contradicts another."""

    status, code = 400, "invalid_parameter"


class UnknownField(InvalidRequest):
    """A request carries a field that nobody reads."""

    code = "unknown_field"


class ContextLengthExceeded(InvalidRequest):
    """The state's tokens and those asked for do not fit into the model's context."""

    code = "context_length_exceeded"


class StateNotFound(GenlibError, KeyError):
    """No state has this id, or it was closed."""

    status, code = 404, "state_not_found"


class StateBusy(GenlibError):
    """Another call is writing to this state."""

    status, code = 409, "state_busy"


class QueueFull(GenlibError):
    """As many calls wait as the engine lets wait. Try again after `retry_after` seconds."""

    status, code = 429, "queue_full"

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OutOfCapacity(GenlibError):
    """The call needs more pages than the engine has in all."""

    status, code = 503, "out_of_capacity"


class EngineClosed(GenlibError):
    """The engine was closed, before or while the call ran."""

    status, code = 503, "closed"


class CallCancelled(GenlibError):
    """The call was cancelled; its state is as it was."""

    status, code = 499, "cancelled"


class TokenMaskError(GenlibError):
    """The caller's token mask raised an exception, which is the cause, or allows no token; the state is as it was."""

    status, code = 500, "token_mask_error"


class ModelError(GenlibError):
    """The model gave a row of logits that holds no finite number, or a +inf."""

    status, code = 500, "model_error"


class CheckpointError(GenlibError, ValueError):
    """A checkpoint's folder cannot be used; the message names everything that is wrong with it."""

    status, code = 500, "checkpoint_error"


class BackendError(GenlibError):
    """A device, dtype or operation that this build cannot serve."""

    status, code = 500, "backend_error"

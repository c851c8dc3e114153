"""The exceptions of genlib. Each class has an HTTP status and a stable code.

GenlibError
├── InvalidRequest          400  invalid_parameter          also a ValueError; `.param` names the field
│   ├── UnknownField        400  unknown_field
│   └── ContextLengthExceeded 400 context_length_exceeded
├── StateNotFound           404  state_not_found            also a KeyError
├── StateBusy               409  state_busy
├── QueueFull               429  queue_full                 `.retry_after` in seconds
├── OutOfCapacity           503  out_of_capacity
├── EngineClosed            503  closed
│   ├── EngineFailed        503  engine_failed
│   └── EngineForked        503  forked
├── CallCancelled           499  cancelled
├── CallTimeout             504  timeout                    also a TimeoutError
├── ReentrantCall           500  reentrant_call
├── TokenMaskError          500  token_mask_error
├── ModelError              500  model_error
├── CheckpointError         500  checkpoint_error           also a ValueError
└── BackendError            500  backend_error
"""

from __future__ import annotations

from typing import ClassVar


class GenlibError(Exception):
    """Base class of all genlib errors.

    status: the HTTP status. code: stable across versions, for use in programs. message: for people; may change.
    param: the name of the parameter at fault, or None.
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
    """A parameter has the wrong type, is out of range, or contradicts another one; `param` names it."""

    status, code = 400, "invalid_parameter"


class UnknownField(InvalidRequest):
    """An HTTP request has a field or query parameter that does not exist."""

    code = "unknown_field"


class ContextLengthExceeded(InvalidRequest):
    """The state's tokens and the requested ones together exceed the model's context length."""

    code = "context_length_exceeded"


class StateNotFound(GenlibError, KeyError):
    """No state has this id, or the state was closed."""

    status, code = 404, "state_not_found"


class StateBusy(GenlibError):
    """Another call is writing to this state; wait for it, or fork the state."""

    status, code = 409, "state_busy"


class QueueFull(GenlibError):
    """The queue is full. Try again after `retry_after` seconds."""

    status, code = 429, "queue_full"

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OutOfCapacity(GenlibError):
    """The call can need more KV cache pages than the engine has in total; raise `kv_memory`."""

    status, code = 503, "out_of_capacity"


class EngineClosed(GenlibError):
    """The engine was closed before the call ended."""

    status, code = 503, "closed"


class EngineFailed(EngineClosed):
    """The engine's thread ended by an error of its own, which is the cause. Make a new engine."""

    code = "engine_failed"


class EngineForked(EngineClosed):
    """The engine was made in another process, before a fork. Make one in this process."""

    code = "forked"


class CallTimeout(GenlibError, TimeoutError):
    """The call took longer than its `timeout`; its state is unchanged."""

    status, code = 504, "timeout"


class ReentrantCall(GenlibError):
    """A token mask called the engine that was asking it, or a finaliser or signal handler one that it interrupted."""

    status, code = 500, "reentrant_call"


class CallCancelled(GenlibError):
    """The call was cancelled; its state is unchanged."""

    status, code = 499, "cancelled"


class TokenMaskError(GenlibError):
    """The caller's token mask raised an exception (see `__cause__`) or left no token; the state is unchanged."""

    status, code = 500, "token_mask_error"


class ModelError(GenlibError):
    """The model produced logits without a finite value or with +inf, or its forward pass failed."""

    status, code = 500, "model_error"


class CheckpointError(GenlibError, ValueError):
    """A checkpoint folder cannot be used; the message lists everything that is wrong with it."""

    status, code = 500, "checkpoint_error"


class BackendError(GenlibError):
    """The device or vector width is not supported by this build or machine."""

    status, code = 500, "backend_error"

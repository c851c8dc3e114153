"""Recording for operations in Python: a step is a list of functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Launch = Callable[[], None]


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """The recorded operations, in the order of their calls. run: runs them to their end."""

    run: Callable[[list[Launch]], None]
    operations: list[Launch] = field(default_factory=list)

    def launch(self) -> None:
        """Runs them on the current contents of the buffers."""
        self.run(self.operations)

    def wait(self) -> None:
        """They have ended."""


class Recorder:
    """The part of Ops that records. Operations pass what they do to `_do`. Only one thread may record at a time."""

    def __init__(self) -> None:
        self._recording: RecordedStep | None = None

    def buckets(self, limit: int) -> tuple[int, ...]:
        """One: a step reads its counts when it is launched."""
        return (limit,)

    def record(self, body: Callable[[], None], rows: int) -> RecordedStep:  # noqa: ARG002
        """See Ops."""
        if self._recording is not None:
            raise RuntimeError("a step is already being recorded; calls of `record` cannot be nested")
        step = self._recording = RecordedStep(self._run)
        try:
            body()
        finally:
            self._recording = None
        return step

    def close(self) -> None:
        """Nothing to release."""

    def _do(self, operation: Launch) -> None:
        if self._recording is None:
            self._run([operation])
        else:
            self._recording.operations.append(operation)

    def _run(self, operations: list[Launch]) -> None:
        for operation in operations:
            operation()

"""What handles have in common: each is one of its kind, and a copy would end what it stands for when it is dropped."""

from __future__ import annotations

from typing import ClassVar, NoReturn


class Handle:
    """Cannot be copied or pickled. INSTEAD: what to do, for the error."""

    __slots__ = ()

    INSTEAD: ClassVar[str]

    def __reduce__(self) -> NoReturn:
        """Raises TypeError, for copy and pickle."""
        raise TypeError(f"cannot copy or pickle {type(self).__name__}: {self.INSTEAD}")

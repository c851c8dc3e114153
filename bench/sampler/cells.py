"""What is measured: a batch of logits of one kind, drawn from with one setting."""

from __future__ import annotations

from dataclasses import dataclass

MODEL_V = 4096  # of the embedded model


@dataclass(frozen=True, slots=True)
class Setting:
    """Parameters of a draw, in the user's units. edits: tokens with a bias and penalties; masked: half may be drawn."""

    name: str
    temperature: float
    top_k: int = 0
    top_p: float = 1.0
    top_n: int = 0
    edits: int = 0
    masked: bool = False


SETTINGS = (
    Setting("greedy", 0),
    Setting("T", 0.8),
    Setting("k", 0.8, 50),
    Setting("p", 0.8, 0, 0.95),
    Setting("k+p", 0.8, 50, 0.95),
    Setting("everything", 0.8, 50, 0.95, top_n=20, edits=500, masked=True),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the results' table. target: microseconds that a replayed graph on an H200 should take at most."""

    S: int
    V: int
    dtype: str
    kind: str
    setting: Setting
    target: float | None = None

    @property
    def name(self) -> str:
        return f"{self.setting.name} {self.kind} {self.dtype} V{self.V} S{self.S}"

    @property
    def logits_bytes(self) -> int:
        return self.S * self.V * (4 if self.dtype == "float32" else 2)


DTYPES = ("float32", "bfloat16")
# Of a normal distribution times a spread: from one whose nucleus is most of the vocabulary to one of a few hundred.
KINDS = ("randn*1", "randn*3", "randn*4", "zipf")
ROWS = (1, 4, 16, 64, 256, 512)
VOCABULARIES = (32000, 128256, 262144)


def grid(device: str, full: bool) -> list[Cell]:
    """All of it, or what takes a few minutes; then the model's own rows."""
    rows = ROWS if full else {"cpu": (1, 16), "cuda": (1, 64, 512)}[device]
    vocabularies, kinds = (VOCABULARIES, KINDS) if full else ((128256,), ("randn*1", "randn*4", "zipf"))
    cells = [
        Cell(S, V, dtype, kind, setting)
        for V in vocabularies
        for kind in kinds
        for dtype in DTYPES
        for S in rows
        for setting in SETTINGS
    ]
    return cells + [Cell(S, MODEL_V, dtype, "model", x) for dtype in DTYPES for S in rows for x in SETTINGS]


def figures() -> list[Cell]:
    """The figures that an H200 is measured against."""
    targets = {
        ("T", "randn*4"): {1: 7.0, 64: 14.0, 512: 90.0},
        ("k+p", "randn*4"): {1: 11.0, 64: 20.0, 512: 110.0},
        ("p", "flat"): {1: 20.0, 64: 36.0, 512: 220.0},
        # Without a target of their own, but the ones that peers are compared by.
        ("p", "randn*4"): {1: None, 64: None, 512: None},
        ("k", "randn*4"): {64: None},
        ("greedy", "randn*4"): {64: None},
        ("everything", "randn*4"): {64: None},
    }
    return [
        Cell(S, 128256, "bfloat16", kind, BY_NAME[setting], target)
        for (setting, kind), by_rows in targets.items()
        for S, target in by_rows.items()
    ]

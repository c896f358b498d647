"""BankFacts: what was planted into a demo bank, counted, so that every stage after it can be checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FACTS_FILE = "FACTS.json"


@dataclass(frozen=True, kw_only=True)
class BankFacts:
    """Counts of everything planted; `rows` are lines or rows in the files, dirty ones included.

    `versions` are rows beyond the first of the same key, `dirty` the rows with something wrong by kind, `closures` the
    customers who left by cause, `reasons` the same by the reason that the bank wrote down, and `dormant` those who
    stopped without closing. Days are ISO dates.
    """

    customers: int
    months: int
    seed: int
    first_day: str
    end_day: str
    rows: Mapping[str, int]
    versions: Mapping[str, int]
    dirty: Mapping[str, int]
    closures: Mapping[str, int]
    reasons: Mapping[str, int]
    dormant: int

    @property
    def closed(self) -> int:
        """How many customers closed their last account."""
        return sum(self.closures.values())

    def write(self, folder: Path) -> None:
        """Write FACTS.json into `folder`."""
        (folder / FACTS_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> BankFacts:
        """Return the facts written in `folder`."""
        return cls(**json.loads((folder / FACTS_FILE).read_text(encoding="utf-8")))

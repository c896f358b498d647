"""What a data dictionary says: a table, a column, and a word that banks use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tenure.publish.dictionary.bank_words import BankWord


@dataclass(frozen=True, kw_only=True)
class ColumnEntry:
    """A column: what is not there, or not known, is empty.

    `role` is that of a source's column, `personal` whether its values are a person's data, `facts` what it holds in the
    newest version, `quality` the score of its source's newest run, or the lowest of the source columns that it is made
    of, `since` the version from which on it is there, `changes` what happened to it.
    """

    name: str
    type: str = ""
    meaning: str = ""
    unit: str = ""
    role: str = ""
    personal: bool = False
    formula: str = ""
    window: str = ""
    boundary: str = ""
    empty: str = ""
    sources: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
    defined: str = ""
    sql: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    quality: float | None = None
    since: str = ""
    changes: tuple[str, ...] = ()

    @property
    def quality_words(self) -> str:
        """Its data quality score in words, '' where nothing judged it."""
        return "" if self.quality is None else f"{self.quality:.1f} of 100"

    @property
    def facts_words(self) -> str:
        """What it holds, in a few words: 'null 2.0 %, min 1, median 2.5, max 9'."""
        found = []
        for name, value in self.facts.items():
            if name == "null_share" and value:
                found.append(f"null {float(str(value)):.1%}")
            elif name not in ("rows", "null_share"):
                found.append(f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}")
        return ", ".join(found)


@dataclass(frozen=True, kw_only=True)
class TableEntry:
    """A table of the lake: its columns, its key, the rules that every commit meets, and the columns that it lost.

    `version` is the newest, None where it is not built yet; `quality` the data quality score of a staged table.
    """

    name: str
    meaning: str = ""
    made_by: str = ""
    keys: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    sql: str = ""
    version: int | None = None
    rows: int = 0
    quality: float | None = None
    dropped: tuple[str, ...] = ()
    columns: tuple[ColumnEntry, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Dictionary:
    """The dictionary of a project: its tables, and the words of banks that its columns answer."""

    project: str
    tables: tuple[TableEntry, ...]
    words: tuple[BankWord, ...] = ()

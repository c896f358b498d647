"""Flat: one table without any date that has a column of who left is written as a FlatTable, alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tenure.begin.bank import Bank
from tenure.begin.planned import PlannedColumn, PlannedSource
from tenure.begin.times import ENDS
from tenure.begin.writing import column_lines, header_text, questions_text, raw_text, text

#: How a column of who left is called, besides what an end is called.
_LEFT = re.compile(r"churn|attrit|exited|has_left|is_gone|target|leaver")

#: A value of those who left; a word of its own, so that 'existing' is none.
_LEAVING = re.compile(r"(?<![a-z])(yes|true|1|1\.0|y|churned|attrited|left|gone|closed|exited)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """The column that says who left, and the value of those who did, with what was seen of it."""

    column: PlannedColumn
    churned: str
    why: str


def is_flat(bank: Bank) -> bool:
    """Whether the bank's one table has no date of any kind."""
    source = bank.sources["customers"]
    return (
        len(bank.sources) == 1
        and len(source.reads) == 1
        and not source.has_own_time
        and not any(column.type in ("date", "timestamp") for column in _own(source))
    )


def outcome_of(bank: Bank) -> Outcome | None:
    """Return the column of a flat table that says who left, None if none is called so and has two values."""
    table = next(iter(bank.tables.values()))
    for pattern in (_LEFT, ENDS):
        for column in _own(bank.sources["customers"]):
            if column.seen is None or not pattern.search(column.name) or not column.raw.isidentifier():
                continue
            values = Counter(value.strip() for value in table.sample.get(column.raw, []) if value and value.strip())
            if len(values) == 2:
                named = [value for value in values if _LEAVING.search(value)]
                churned = named[0] if len(named) == 1 else min(values, key=lambda value: values[value])
                share = values[churned] / values.total()
                return Outcome(column, churned, f"{share:.0%} of {values.total():,} rows seen are '{churned}'")
    return None


def flat_questions(outcome: Outcome | None) -> list[str]:
    """Return what a table without dates leaves open."""
    if outcome is None:
        return [_UNKNOWN]
    return [
        "customers has no dates: no figure will be out of time. Has the bank no table with dates?",
        f"does {outcome.column.name} say who left, by '{outcome.churned}'? {outcome.why}.",
        _WRITTEN_AFTER,
    ]


_UNKNOWN = (
    "customers has no dates, so no window, label or snapshot can be made of it. If a column says who left, declare the "
    "table as FlatTable(…, target=, churned=), alone in sources.py (docs/flat.md); else bring the tables with dates."
)
_WRITTEN_AFTER = (
    "which columns were written after a customer left, or count the time in which it left? Leave them out: nothing "
    "else can tell, where there are no dates."
)


def flat_text(bank: Bank, outcome: Outcome, origin: str) -> str:
    """Return sources.py of a flat table."""
    source = bank.sources["customers"]
    raw = next(iter(source.reads.values()))
    imports = ", ".join(sorted({"Column", "FlatTable", type(raw).__name__}))
    keys = text(source.key[0]) if len(source.key) == 1 else f"({', '.join(map(text, source.key))})"
    lines = ["customers = FlatTable(", '    "customers",', *(f"    # {why}" for why in source.why)]
    lines += [f"    read={raw_text(raw)},", f"    key={keys},  # {source.key_why}"]
    lines += [f"    target={text(outcome.column.name)},", f"    churned={text(outcome.churned)},  # {outcome.why}"]
    lines += ["    columns=["]
    for column in _own(source):
        lines += column_lines(_as_written(column, outcome))
    lines += ["    ],"]
    lines += [f"    quarantine={source.quarantine:g},  # see the questions at the end"] if source.quarantine else []
    body = "\n".join([*lines, ")"])
    return f"{header_text(origin)}from tenure import {imports}\n\n{body}\n{questions_text(bank.questions)}"


def _own(source: PlannedSource) -> Sequence[PlannedColumn]:
    """The columns that the raw table has."""
    return [column for column in source.columns if column.seen is not None]


def _as_written(column: PlannedColumn, outcome: Outcome) -> PlannedColumn:
    """The column; of who left as a text, so that its values are those of the file."""
    if column is not outcome.column:
        return column
    return PlannedColumn(column.name, "string", "attribute", column.raw, why=["who left"])

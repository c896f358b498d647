"""Coded checks: staged rows counted in one scan, judged, and the failing ones fetched with their reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa

from tenure.define.check import CheckOutcome, RowCheck, Verdict
from tenure.define.personal import personal_columns
from tenure.define.source import Source
from tenure.define.table_rules import Relation
from tenure.engines.base import Engine
from tenure.errors import DataCheckFailed
from tenure.faults.redact import shown, shown_row
from tenure.tables import checks as table

#: So many failing rows of a check are kept.
MOST_KEPT = 1000


@dataclass(frozen=True)
class Failing:
    """Some rows that fail a check: their keys that are not personal, and what was looked at, as texts or shapes."""

    keys: pa.Table
    values: Sequence[str | None]


@dataclass(frozen=True)
class Counts:
    """How many rows each month has, and how many of them fail each check, in the order of the checks."""

    rows: Mapping[date, int]
    failing: Sequence[Mapping[date, int]]

    @property
    def all_rows(self) -> int:
        """The rows of all months."""
        return sum(self.rows.values())


def count(engine: Engine, checks: Sequence[RowCheck], relation: str = table.CHECKED) -> Counts:
    """Return how many rows of a relation fail each check, by month: one scan."""
    found = engine.run(table.counted_by_month(checks, relation).text).to_pylist()
    rows = {row["month"]: int(row["n_rows"]) for row in found}
    failing = [{row["month"]: int(row[f"c{place}"]) for row in found} for place in range(len(checks))]
    return Counts(rows, failing)


def outcome(check: RowCheck, rows: int, failing: int) -> CheckOutcome:
    """Return what came of a check of which so many of the rows fail."""
    verdict: Verdict = "not applicable" if check.why_not else "failed" if failing > check.tolerance * rows else "passed"
    return CheckOutcome(
        source=check.source,
        code=check.code,
        column=check.column,
        dimension=check.dimension,
        severity=check.severity,
        title=check.title,
        rows=rows,
        failing=0 if check.why_not else failing,
        tolerance=check.tolerance,
        verdict=verdict,
        reason=check.why_not,
    )


def failing(engine: Engine, source: Source, check: RowCheck, relation: str = table.CHECKED) -> Failing:
    """Return some rows that fail a check; of personal columns no key, and no value but its shape."""
    select = table.failing_rows(source, check, engine.dialect, MOST_KEPT, relation)
    return _failing(engine.run(select.text), source, check)


def _failing(rows: pa.Table, source: Source, check: RowCheck) -> Failing:
    personal = personal_columns(source)
    keys = rows.select([name for name in source.keys if name not in personal])
    texts = [rows[f"v{place}"].to_pylist() for place in range(len(check.columns))]
    values = [
        ", ".join(_shown(name, text, personal, alone=len(check.columns) == 1) for name, text in pairs)
        for pairs in (list(zip(check.columns, row, strict=True)) for row in zip(*texts, strict=True))
    ]
    return Failing(keys, values or [None] * rows.num_rows)


def _shown(name: str, text: str | None, personal: frozenset[str], *, alone: bool) -> str:
    value = shown("null" if text is None else text, personal=name in personal and text is not None)
    return value if alone else f"{name}={value}"


def with_example(found: CheckOutcome, rows: Failing) -> CheckOutcome:
    """Return an outcome with its first failing row as the example."""
    if not rows.values:
        return found
    key = rows.keys.slice(0, 1).to_pylist()[0] if rows.keys.num_columns else {}
    parts = [shown_row(list(key.items()), ()), rows.values[0] or ""]
    return replace(found, example=": ".join(filter(None, parts)))


def orphans(engine: Engine, source: Source, check: RowCheck, relation: Relation, relation_name: str) -> Failing:
    """Return some rows that have no row in the other table, relation `table.OTHER`."""
    found = table.orphans(source, relation, relation_name)
    rows = engine.run(replace(found, limit=MOST_KEPT, order_by=list(found.columns)).text)
    for place, name in enumerate(check.columns):
        rows = rows.append_column(
            f"v{place}", pa.array([_text(value) for value in rows[name].to_pylist()], pa.string())
        )
    return _failing(rows, source, check)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def require_none_stops(source: Source, outcomes: Sequence[CheckOutcome], *, consequence: str, hint: str) -> None:
    """Raise DataCheckFailed, naming each check that stops the source, with rows, an example and what is allowed."""
    stopping = [one for one in outcomes if one.stops]
    if stopping:
        words = "; ".join(one.words for one in stopping[:3])
        more = f"; and {len(stopping) - 3} more" if len(stopping) > 3 else ""
        raise DataCheckFailed(
            f"source '{source.name}', {words}{more}. {consequence} ({source.where_defined}).",
            hint=hint,
        )

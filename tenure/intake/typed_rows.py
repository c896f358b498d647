"""Typed rows: a source's raw tables as one relation of typed rows, counted; what is wrong with all of them is refused.

```
raw tables ──► select= ──► typed_rows: values of the declared types, the reason of each bad row ──► rows, reasons
```
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from tenure.define.raw_tables import Parquet
from tenure.define.source import Source
from tenure.errors import BadValue, EmptyTable, EngineError, InvalidDefinition, choices
from tenure.faults.redact import redacted
from tenure.intake.refusal import refuse
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Work
from tenure.sql.dialects import READS_BROKEN_TEXT
from tenure.sql.expressions import after, before, count_where, either, named
from tenure.sql.query import Query
from tenure.sql.selects import columns_read
from tenure.tables import staging as staging_table


class TypedRows(NamedTuple):
    """A source's typed rows: the types of what they are made of, a digest of the raw tables' columns, the rows, the
    bad ones by reason, how many values are rounded, and how many rows of forgotten customers are left out.
    """

    raw_types: dict[str, str]
    shape: str
    rows: int
    reasons: Counter[str]
    rounded: int
    refused: int = 0


def type_rows(
    work: Work, source: Source, columns: Mapping[str, Mapping[str, str]], *, words: str, are_near: bool
) -> TypedRows:
    """Make a source's typed rows a relation and count them.

    `columns` are those of its raw tables, which are relations; `words` what messages call what it reads, and `are_near`
    says that it lies on this machine.

    Raises EmptyTable if there are none, BadValue if a time lies outside the years 1 to 9999, UnreadableFile for bytes
    that are no text.
    """
    engine = work.engine
    rows = staging_table.raw_rows(source, engine.dialect)
    raw_types = planned_types(work, source, rows)
    refused = refuse(work, source, raw_types, rows)
    typed = staging_table.typed_rows(work.project, source, engine.dialect, raw_types, refused=refused > 0)
    (engine.view if are_near and _may_be_read_again(source, raw_types) else engine.cache)(typed.table, typed.text)
    _require_text(work, source)
    shapes = [(name, *of_raw.items()) for name, of_raw in columns.items()]
    counted = _counted(work, source, words, raw_types, fingerprint([shapes, *raw_types.items()]))
    return counted._replace(refused=refused)


def _may_be_read_again(source: Source, raw_types: Mapping[str, str]) -> bool:
    """Whether typed rows are had faster from the raw table, each time anew, than from memory: columns of Parquet that
    lie on this machine, of which none is parsed.
    """
    are_parsed = any(raw_types[c.raw_name] == "text" and c.type != "string" for c in source.columns)
    are_parquet = all(isinstance(raw, Parquet) for raw in source.raws.values())
    return are_parquet and not are_parsed and not source.select


def _counted(work: Work, source: Source, words: str, raw_types: dict[str, str], shape: str) -> TypedRows:
    """Count the typed rows; raise EmptyTable if there are none.

    Raises BadValue if a time lies outside the years 1 to 9999: Python's dates end there, and so do most engines'.
    """
    times = [column.name for column in source.columns if column.type in ("date", "timestamp")]
    outside = [f"outside_{number}" for number in range(len(times))]
    by_reason = Query(
        columns=["quarantine_reason AS reason", "COUNT(*) AS n", "SUM(rounded) AS rounded"],
        lines=[named(_count_outside_years(time), name) for time, name in zip(times, outside, strict=True)],
        source=staging_table.TYPED,
        group_by=["quarantine_reason"],
    )
    counted = work.engine.run(by_reason.text).to_pylist()
    rows = sum(row["n"] for row in counted)
    if not rows:
        raise EmptyTable(
            f"source '{source.name}' has no rows ({words}).",
            hint="Check the files or the query.",
        )
    clean: dict[str, Any] = next((row for row in counted if row["reason"] is None), {})
    for time, name in zip(times, outside, strict=True):
        if clean.get(name):
            raise _outside_years(source, time, clean[name], words)
    reasons = Counter({str(row["reason"]): int(row["n"]) for row in counted if row["reason"] is not None})
    return TypedRows(raw_types, shape, rows, reasons, int(clean.get("rounded") or 0))


def _outside_years(source: Source, name: str, rows: int, words: str) -> BadValue:
    return BadValue(
        f"source '{source.name}', column '{name}': {rows:,} {'time lies' if rows == 1 else 'times lie'} outside "
        f"the years 1 to 9999 ({words}).",
        hint="Correct the values; for an open end use null or 9999-12-31.",
    )


def _count_outside_years(name: str) -> str:
    first, last = "TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '9999-12-31 23:59:59.999999'"
    outside = either(before(name, first), after(name, last))
    return count_where(outside)


def planned_types(work: Work, source: Source, raw_rows: str) -> dict[str, str]:
    """Return the columns of a source's untyped rows: 'text' or another type; a select that fails names its source."""
    try:
        planned = work.engine.schema(raw_rows)
    except EngineError as error:
        if not source.select or error.original is not None:
            raise
        raise _select_fails(work, source, error) from error
    return {f.name: "text" if pa.types.is_string(f.type) else str(f.type) for f in planned}


def _select_fails(work: Work, source: Source, error: EngineError) -> InvalidDefinition:
    """The error of a SELECT that can't be run: it names a column that a raw table lacks; else what the engine says."""
    failed = f"the select of source '{source.name}' ({source.where_defined}) can't be run"
    headers = {name: {n.lower(): n for n in work.engine.schema(f"SELECT * FROM {name}").names} for name in source.raws}
    read = [(table, column) for table, column in columns_read(source.select, work.dialect) if table in headers]
    lacking = next(((table, column) for table, column in read if column.lower() not in headers[table]), None)
    # An engine proposes other columns of the raw tables: of a file without a header these are its first row.
    names = {*re.findall(r"\w+", source.select), *(column.raw_name for column in source.columns)}
    if lacking is None:
        return InvalidDefinition(
            f"{failed}: {redacted(error.message, names)}", hint="Fix the SELECT, then run 'tenure check'."
        )
    table, column = lacking
    known = sorted(name for name in headers[table].values() if name in names)
    return InvalidDefinition(
        f"{failed}: it reads '{column}' of raw table '{table}' ({source.raws[table].place}), which has no such column; "
        f"of those that the source names it has: {choices(known) or 'none'}.",
        hint=f"Spell '{column}' as the raw table does. If the bank has no such column, take it out of the SELECT, and "
        "with it what reads it: columns=, features, the where= of churn.py. Then run 'tenure check'.",
    )


def _require_text(work: Work, source: Source) -> None:
    """Raise UnreadableFile if a raw file has bytes that are no text, where the engine reads them as if they were."""
    if READS_BROKEN_TEXT[work.dialect]:
        (found,) = work.engine.run(staging_table.broken_texts(source).text).to_pylist()
        if found["broken"]:
            work.engine.check_texts()

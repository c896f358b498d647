"""Profile of a source by month: counts of rows by what their cells look like, which add up and need no row kept.

                      January   February   March
amount is null             10         11     240    ──► unlike the months before
amount of 1,000 or more   120        118     950
kind = 'card'             700        712     705
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from tenure.define.check import Measure
from tenure.define.dialect import Dialect
from tenure.define.personal import personal_columns
from tenure.define.source import Column, Source
from tenure.sql.dialects import date_literal, full_match, literal, op
from tenure.sql.expressions import (
    after,
    all_of,
    any_of,
    at_least,
    at_most,
    before,
    call,
    cast,
    equal,
    grouped,
    is_not_null,
    is_null,
    like,
    listed,
    named,
    negated,
    of,
)
from tenure.sql.query import Query, Select
from tenure.tables.checks import CHECKED, month_of_row

#: Of a column with more values than these, no value is counted.
MOST_VALUES = 200

#: A value of a column, as a measure is named.
VALUE = "value="

#: The measure of rows that are alike but for their key.
REPEATED = "repeated"

#: Text of UTF-8 that was read as Latin-1 or Windows-1252: the sign of a first byte, then one of those of a second.
_SECOND = "".join(chr(byte) + bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0xC0))
_DAMAGED = f".*(\ufffd|[ÃÂ][{_SECOND}]|â€).*"

#: A quick look that most texts do not pass.
_SUSPECT = ("\ufffd", "Ã", "Â", "â€")

_SIZES = tuple(10**power for power in range(7))
_LENGTHS = (4, 8, 16, 32)
_HOURS = (3, 6, 9, 12, 15, 18, 21)
_DELAYS = (0, 1, 3, 7, 30)
_LATE = (31, 183)

_FIRST, _LAST, _OPEN_END = date(1900, 1, 1), date(2100, 1, 1), date(9999, 1, 1)


def measures(source: Source, dialect: Dialect) -> list[Measure]:
    """Return what is counted of a source's rows, column by column."""
    found: list[Measure] = []
    fixed = {*source.keys, source.event_time, source.known_time}
    for column in source.columns:
        if column.name not in fixed and not column.required and column.name != source.ends:
            found.append(Measure("TEN-Q016", column.name, "null", is_null(of("r", column.name))))
        if column.role != "key" and column.name not in source.keys:
            found += _OF_TYPE[column.type](column, dialect)
    if source.known_time and source.known_time != source.event_time:
        found += _delays(source, dialect)
        found += _distances(source, dialect)
    found.append(Measure("TEN-Q023", source.keys[0], "superseded", is_not_null(of("r", "known_until"))))
    return found


def valued_columns(source: Source) -> list[str]:
    """Return the columns whose values may be counted one by one: short texts that are no key and not personal."""
    hidden = {*personal_columns(source), *source.keys}
    return [
        column.name
        for column in source.columns
        if column.type == "string" and column.role in ("dimension", "attribute") and column.name not in hidden
    ]


def value_counts(columns: Sequence[str], relation: str = CHECKED) -> Select:
    """Return a row per month, column and value that is not null: month, place of the column, value, n; one scan."""
    rows = Query(
        columns=[named(month_of_row(), "month"), *(of("r", name) for name in columns)], source=relation, alias="r"
    )
    places = [(grouping_is_0(name), str(place)) for place, name in enumerate(columns)]
    value = call("COALESCE", *columns)
    sets = listed(grouped(listed(["month", name])) for name in columns)
    made = Query(
        columns=["month", named(f"CASE {' '.join(f'WHEN {w} THEN {p}' for w, p in places)} END", "place")],
        lines=[named(value, "value"), named("COUNT(*)", "n")],
        source=rows,
        alias="cells",
        group_by=[f"GROUPING SETS ({sets})"],
    )
    return made.as_table("value_counts", reads=[relation])


def grouping_is_0(column: str) -> str:
    """Return whether a row of several groupings is grouped by a column."""
    return equal(call("GROUPING", column), 0)


def repeated_rows(source: Source, dialect: Dialect, relation: str = CHECKED) -> Select:
    """Return, by month, how many rows are alike others in all but their key and known time: month, n; one scan."""
    hidden = {*source.keys, source.known_time}
    cells = ["event_time", *(column.name for column in source.columns if column.name not in hidden)]
    hashed = op("row_hash", dialect, listed(op("hashed_cell", dialect, of("r", name)) for name in cells))
    rows = Query(columns=[named(month_of_row(), "month"), named(hashed, "row_hash")], source=relation, alias="r")
    alike = Query(
        columns=["month", "row_hash", named("COUNT(*)", "n_alike")],
        source=rows,
        alias="hashed_rows",
        group_by=["month", "row_hash"],
        having="COUNT(*) > 1",
    )
    made = Query(
        columns=["month", named(cast(call("SUM", "n_alike - 1"), "BIGINT"), "n")],
        source=alike,
        alias="alike_rows",
        group_by=["month"],
    )
    return made.as_table("repeated_rows", reads=[relation])


def in_month(month: date, condition: str, *, holds: bool) -> str:
    """Return whether a row is of a month, and a condition holds of it, or does not."""
    meant = grouped(condition) if holds else f"{negated(grouped(condition))}"
    return all_of(equal(month_of_row(), date_literal(month)), meant)


def value_is(column: str, value: str, dialect: Dialect) -> str:
    """Return whether a column of a row has a value."""
    return equal(of("r", column), literal(value, dialect))


def _numbers(column: Column, _dialect: Dialect) -> Iterator[Measure]:
    value = of("r", column.name)
    yield Measure("TEN-Q012", column.name, "negative", before(value, 0))
    yield Measure("TEN-Q017", column.name, "zero", equal(value, 0))
    for size in _SIZES:
        # The least of 64 bits has no absolute value, and the floor of 38 digits no room; of others it costs half.
        has_absolute = column.type == "decimal" and not column.value_type.is_long
        either = any_of(at_least(value, size), at_most(value, -size))
        is_large = at_least(call("ABS", value), size) if has_absolute else either
        yield Measure("TEN-Q013", column.name, f"size>={size}", is_large)
    if column.type != "integer":
        yield Measure("TEN-Q017", column.name, "fraction", f"{value} % 1 <> 0")


def _texts(column: Column, dialect: Dialect) -> Iterator[Measure]:
    value = of("r", column.name)
    suspect = any_of(*(like(value, f"%{part}%") for part in _SUSPECT))
    yield Measure("TEN-Q010", column.name, "damaged", all_of(suspect, full_match(value, _DAMAGED, dialect)))
    for length in _LENGTHS:
        yield Measure("TEN-Q017", column.name, f"length>={length}", at_least(call("LENGTH", value), length))
    yield Measure("TEN-Q017", column.name, "with @", like(value, "%@%"))
    yield Measure("TEN-Q017", column.name, "with a blank", like(value, "% %"))
    yield Measure("TEN-Q017", column.name, "digit first", all_of(at_least(value, "'0'"), before(value, "':'")))


def _flags(column: Column, _dialect: Dialect) -> Iterator[Measure]:
    yield Measure("TEN-Q017", column.name, "true", of("r", column.name))


def _days(column: Column, _dialect: Dialect) -> Iterator[Measure]:
    value = of("r", column.name)
    beyond = all_of(at_least(value, date_literal(_LAST)), before(value, date_literal(_OPEN_END)))
    yield Measure("TEN-Q011", column.name, "far out", any_of(before(value, date_literal(_FIRST)), beyond))


def _instants(column: Column, dialect: Dialect) -> Iterator[Measure]:
    yield from _days(column, dialect)
    for hour in _HOURS:
        yield Measure("TEN-Q017", column.name, f"hour<{hour}", before(call("HOUR", of("r", column.name)), hour))


def _delays(source: Source, dialect: Dialect) -> Iterator[Measure]:
    delay = op("days_between", dialect, of("r", "event_time"), of("r", "known_time"))
    for days in _DELAYS:
        yield Measure("TEN-Q019", source.known_time, f"delay>{days}", after(delay, days))


def _distances(source: Source, dialect: Dialect) -> Iterator[Measure]:
    """How far events lie from their arrival: after it, or long before it."""
    delay = op("days_between", dialect, of("r", "event_time"), of("r", "known_time"))
    yield Measure("TEN-Q022", source.event_time, "known before it happened", before(delay, 0))
    for days in _LATE:
        yield Measure("TEN-Q022", source.event_time, f"known {days} days after it happened", after(delay, days))


_OF_TYPE = {
    "string": _texts,
    "integer": _numbers,
    "decimal": _numbers,
    "float": _numbers,
    "boolean": _flags,
    "date": _days,
    "timestamp": _instants,
}

"""Leaks in the staged rows themselves: a row that knows more than it could when it says it was known.

           known_time                        the file was written
───────────────┊───────────────────────────────────┊───────►
all of a row's ┊ a time in here, not `planned`:     ┊ a known_time in here:
times are here ┊ the row was written after the fact ┊ nobody could know it yet
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from tenure.define.personal import personal_columns
from tenure.define.source import Column, Source
from tenure.faults.redact import shown, shown_row
from tenure.sql import Dialect, midnight_literal, op
from tenure.sql.arithmetic import Number
from tenure.sql.expressions import after, all_of, at_most, call, case, cast, days_later, named, number_where
from tenure.sql.query import Column as Selected
from tenure.sql.query import Query

Detection: TypeAlias = Literal[
    "value from the future",
    "clock",
    "future-dated row",
    "two known times",
    "staging time travel",
    "written at the end",
    "target proxy",
]

#: Clocks of two systems differ by some minutes; a leak needs more.
TOLERANCE = "INTERVAL '5' MINUTE"

#: No two time zones lie further apart than 26 hours, and no country is further from UTC than 14.
MOST_ZONE_HOURS = 14

#: The latest instant that another time zone's clock, and no more, may put on a row.
_FARTHEST_ZONE = f"known_time + INTERVAL '{MOST_ZONE_HOURS}' HOUR + {TOLERANCE}"

#: The least share of early rows that makes a shifted clock likelier than a few wrong rows.
ZONE_SHARE = 0.05

_DAY_TEXT = "[0-9]{4}-[0-9]{2}-[0-9]{2}([ T].*)?"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a detection found: a leak, or with `alarm` false why something can't be proven."""

    detection: Detection
    subject: str
    message: str
    hint: str = ""
    alarm: bool = True


@dataclass(frozen=True)
class TimeTest:
    """A condition that no row of a source may meet, and the value that an example shows."""

    detection: Detection
    column: str
    condition: str
    value: str = field(kw_only=True)


def source_finding(
    source: Source, column: str, detection: Detection, message: str, hint: str, *, alarm: bool = True
) -> Finding:
    """Return a finding in a column of a source, or with '' in its rows; the message ends with the source's place."""
    subject = f"source '{source.name}', column '{column}'" if column else f"source '{source.name}'"
    message = f"{message} ({source.where_defined})."
    return Finding(detection=detection, subject=subject, message=message, hint=hint, alarm=alarm)


def shown_key(source: Source, row: Mapping[str, object]) -> str:
    """Return the key of a source's row for a message; personal columns by their shape."""
    return shown_row([(name, row[name]) for name in source.keys], personal_columns(source))


def count_names(number: int) -> tuple[str, str]:
    """Return the columns of `count_statement` for the test of a number: its rows, and their hours ahead."""
    return f"found_{number}", f"hours_{number}"


def time_tests(source: Source, dialect: Dialect, written: datetime | None) -> list[TimeTest]:
    """Return what no staged row of a source may show; `written` is when its newest raw file was."""
    known = source.known_time or source.event_time
    # A row that was known some time on a day may describe all of that day, and known_time is its end.
    by_day = source.known_by_day

    def is_beyond(instant: str) -> str:
        return after(instant, "known_time" if by_day else f"known_time + {TOLERANCE}")

    tests = []
    for column in _watched(source):
        ahead = is_beyond(_instant(column, dialect))
        tests.append(TimeTest("value from the future", column.name, ahead, value=column.name))
    if source.known_time and not source.column(source.event_time).planned:
        early = is_beyond("event_time")
        if not by_day:
            in_zone = all_of(early, at_most("event_time", _FARTHEST_ZONE))
            tests.append(TimeTest("clock", source.event_time, in_zone, value="event_time"))
            early = after("event_time", _FARTHEST_ZONE)
        tests.append(TimeTest("future-dated row", source.event_time, early, value="event_time"))
    if written:
        # A file's own time is local where it was copied from an archive: a day is allowed for it.
        allowed = source.arrival_delay + (3 if by_day else 2)
        late = after("known_time", days_later(midnight_literal(written.date()), allowed))
        tests.append(TimeTest("future-dated row", known, late, value="known_time"))
    return tests


def count_statement(source: Source, tests: Sequence[TimeTest], dialect: Dialect) -> str:
    """Return the SELECT of one row: `row_count`, `found_n` of each test, `hours_n` by which its rows lie ahead."""
    columns = [Selected("COUNT(*)", "row_count")]
    ahead = Number(op("seconds", dialect, "event_time")) - op("seconds", dialect, "known_time")
    for number, test in enumerate(tests):
        rows, hours = count_names(number)
        most = Number(call("MAX", case(when=test.condition, then=ahead)))
        columns.append(Selected(number_where(test.condition), rows))
        columns.append(Selected(str(most / "3600.0"), hours))
    return Query(lines=columns, source=source.name).text


def example_statement(source: Source, test: TimeTest) -> str:
    """Return the SELECT of one row that meets a test: its keys, `shown` and `known_time`."""
    query = Query(
        columns=[*source.keys, named(test.value, "shown"), "known_time"],
        source=source.name,
        where=test.condition,
        order_by=[*source.keys, "known_time"],
        limit=1,
    )
    return query.text


def time_finding(
    source: Source, test: TimeTest, found: int, rows: int, hours: float, example: Mapping[str, object]
) -> Finding:
    """Return the finding that some rows meet a test, with one of them as an example."""
    personal = personal_columns(source)
    key = shown_key(source, example)
    known = source.known_time or source.event_time
    share = f"{found:,} of {rows:,} rows ({found / rows:.1%})"
    value = shown(example["shown"], personal=test.column in personal or test.value in personal)
    known_at = shown(example["known_time"], personal="known_time" in personal)
    row = f"for example {key}: {test.column} {value}, known at {known_at}"
    if test.detection == "value from the future":
        message = (
            f"{share} hold a time later than their known_time ('{known}'), {row}. Such a row was written after it "
            "claims to have been known. Allowed: times up to known_time, or any in a column with planned=True"
        )
        hint = (
            f"Set known_time to the time at which the row was written, make it ends= if it closes the row, or say "
            f"Column('{test.column}', type='date', planned=True) if it is a plan such as a due date."
        )
    elif test.detection == "clock" and found >= max(2, ZONE_SHARE * rows):
        message = (
            f"{share} are known before they happened, by up to {hours:.1f} h, {row}: '{source.event_time}' and "
            f"'{known}' are {max(1, round(hours))} h apart, as local time and UTC are. Allowed: known_time no earlier "
            "than event_time"
        )
        hint = "Bring both to UTC in select=, or write the offset into the text (+02:00), which is then read."
    elif test.value == "event_time":
        message = (
            f"{share} are known before they happened, {row}: what had not happened can't be known. "
            "Allowed: known_time no earlier than event_time, or an event_time with planned=True"
        )
        hint = f"Fix the rows' dates, or say Column('{test.column}', …, planned=True) if it is announced in advance."
    else:
        message = (
            f"{share} became known after the file that holds them was written, {row}. Allowed: nothing later than "
            "the file, but for a day"
        )
        hint = "Fix the rows' dates, or their format=: a day and month may be swapped."
    return source_finding(source, test.column, test.detection, message, hint)


def _watched(source: Source) -> list[Column]:
    """Columns whose value may be a time of the row's making: not its own times, plans or what is personal."""
    own = {source.event_time, source.known_time, source.ends, *source.keys}
    kinds = ("date", "timestamp", "string")
    return [c for c in source.columns if c.type in kinds and c.name not in own and not c.is_personal and not c.planned]


def _instant(column: Column, dialect: Dialect) -> str:
    if column.type != "string":
        return cast(column.name, "TIMESTAMP")
    # A date that was left as text is one all the same.
    like_a_day = op("full_match", dialect, column.name, _DAY_TEXT)
    return case(when=like_a_day, then=op("instant", dialect, column.name))

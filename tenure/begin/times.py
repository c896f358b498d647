"""Times: of a table's dates and instants, when a row happened, when the bank knew it, and when what it tells ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tenure.begin.keys import KNOWN, Key
from tenure.begin.reasons import Reason, reason_of
from tenure.begin.tables import RawColumn, RawTableSeen, sql_name
from tenure.intake.formats import Format

ENDS = re.compile(
    r"clos(ed|ing|ure)|(^|_)end(ed|s)?(_|$)|terminat|cancel|churn|left_|exit|deactivat|ausgetreten|schliess|geschloss|gekuendigt|aufgeloest|ukonc|zavren"
)
PLANNED = re.compile(r"(^|_)due|matur|expir|valid_|value_date|valuta|scheduled|next_|deadline|faellig|renewal")
_BIRTH = re.compile("birth|dob|geburt|naissance|nacimiento|narozeni")

#: How an event's time is called, the likelier first.
_EVENTS = (
    r"book|buchung|posted|posting",
    r"transaction|occur|event|paid|purchase|invoice|happen|payment",
    r"open|join|since|start|begin|grant|issue|creat|register|onboard|signup|eroeff",
    r"date|datum|time|day",
)

#: The share of rows seen in which one time may lie before another that it should follow.
_ASTRAY = 0.01


@dataclass(frozen=True)
class Times:
    """The raw names of a table's times, '' where it has none, with what was seen of each; and of plans."""

    event: str = ""
    known: str = ""
    ends: str = ""
    #: Why its rows ended.
    reason: Reason | None = None
    planned: tuple[str, ...] = ()
    why: tuple[tuple[str, str], ...] = ()
    questions: tuple[str, ...] = ()


def times_of(table: RawTableSeen, key: Key) -> Times:
    """Return which columns of a table are its times."""
    times = [c for c in table.columns.values() if c.format.is_time and c.filled and not _BIRTH.search(c.name)]
    planned = tuple(c.raw for c in times if PLANNED.search(c.name))
    ends = [c for c in times if ENDS.search(c.name) and c.filled < table.rows]
    known = [c for c in times if KNOWN.search(c.name) or c.raw == key.versions]
    events = [c for c in times if c not in ends and c not in known and c.raw not in planned]
    event = min(events or known, key=lambda c: (c.filled < table.rows, _rank(c.name)), default=None)
    if event is None:
        question = f"{table.name} has no time: since when were its rows known? No snapshot sees them before you say."
        return Times(planned=planned, questions=(question,))
    why, questions = [(event.raw, _filled(table, event))], []
    known_by = _known(table, event, [c for c in known if c is not event], key)
    if known_by:
        why.append((known_by.raw, _order(table, event, known_by)))
    elif event not in known:
        questions.append(f"{table.name}: how many days after {event.name} does a row reach the bank? (arrival_delay=)")
    ended = next((c for c in ends if _astray(table, event, c)[0] <= _ASTRAY), None)
    if ended:
        why.append((ended.raw, f"{_order(table, event, ended)}; {_filled(table, ended)}"))
    reason = reason_of(table, ended) if ended else None
    if reason:
        why.append((reason.raw, reason.why))
    if len(events) > 1:
        others = " or ".join(c.name for c in events if c is not event)
        questions.append(f"{table.name}: is {event.name} when a row happened, or {others}?")
    return Times(
        event=event.raw,
        known=known_by.raw if known_by else "",
        ends=ended.raw if ended else "",
        reason=reason,
        planned=planned,
        why=tuple(why),
        questions=tuple(questions),
    )


def _rank(name: str) -> int:
    return next((rank for rank, pattern in enumerate(_EVENTS) if re.search(pattern, name)), len(_EVENTS))


def _filled(table: RawTableSeen, column: RawColumn) -> str:
    return f"filled in {column.filled:,} of {table.rows:,} rows"


def _known(table: RawTableSeen, event: RawColumn, known: Sequence[RawColumn], key: Key) -> RawColumn | None:
    """The time at which a row was written: it never lies before the event, and no row lacks it."""
    if key.versions and key.versions != event.raw:
        return table.columns[key.versions]
    for column in known:
        before, both = _astray(table, event, column)
        if both and before <= _ASTRAY and column.filled == table.rows:
            return column
    return None


def _astray(table: RawTableSeen, first: RawColumn, second: RawColumn) -> tuple[float, int]:
    """The share of rows seen in which the second time lies before the first, and how many have both."""
    pairs = [
        (moment(one, first.format), moment(other, second.format))
        for one, other in zip(table.sample[first.raw], table.sample[second.raw], strict=True)
        if one and other
    ]
    both = [(one, other) for one, other in pairs if one and other]
    if not both:
        return 0.0, 0
    days = "date" in (first.format.type, second.format.type)
    before = sum(other.date() < one.date() if days else other < one for one, other in both)
    return before / len(both), len(both)


def _order(table: RawTableSeen, first: RawColumn, second: RawColumn) -> str:
    share, both = _astray(table, first, second)
    never = "never" if not share else f"in {share:.1%} of rows"
    return f"{never} before {first.name} in {both:,} rows seen"


def moment(text: str, format_: Format) -> datetime | None:
    """Return a text of a format as an instant, None where it is none."""
    for one in format_.formats:
        try:
            return datetime.strptime(text, one)
        except ValueError:
            continue
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def sortable(column: RawColumn, alias: str) -> str:
    """Return SQL of a text of days or instants in an order that sorts, as every engine reads it."""
    name = f"{alias}.{sql_name(column.raw)}"
    for null in column.format.null:
        name = f"NULLIF({name}, '{null}')"
    if not column.format.formats:
        return name
    return _rearranged(name, column.format.formats[0], column)


def sorts_as_written(column: RawColumn) -> bool:
    """Whether a column's least text is its earliest time, or can be made so by `sortable`."""
    formats = column.format.formats
    return len(formats) < 2 and not any("%b" in one for one in formats)


def _rearranged(name: str, format_: str, column: RawColumn) -> str:
    """A text of a strptime format as YYYY-MM-DD, and its time of day behind it."""
    day, _, time = format_.partition("T" if "T%" in format_ else " ")
    separator = next((sign for sign in "/.-" if sign in day), "")
    parts = day.split(separator) if separator else [day[n : n + 2] for n in range(0, len(day), 2)]
    pieces: dict[str, str] = {}
    position = 1
    first_part = f"SPLIT_PART({name}, ' ', 1)" if time else name
    for number, part in enumerate(parts, start=1):
        width = 4 if part == "%Y" else 2
        cut = (
            f"SPLIT_PART({first_part}, '{separator}', {number})"
            if separator
            else f"SUBSTR({name}, {position}, {width})"
        )
        pieces[part] = f"LPAD({cut}, 2, '0')" if separator and part != "%Y" else cut
        position += width
    year = pieces.get("%Y") or f"CASE WHEN {pieces['%y']} >= '69' THEN '19' ELSE '20' END || {pieces['%y']}"
    found = f"{year} || '-' || {pieces['%m']} || '-' || {pieces['%d']}"
    if column.format.type == "timestamp":
        clock = f"SPLIT_PART({name}, ' ', 2)"
        found += f" || ' ' || {clock}" + ("" if "%S" in time else " || ':00'")
    return f"CASE WHEN {name} IS NOT NULL THEN {found} END"

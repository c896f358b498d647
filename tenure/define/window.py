"""Window: the half-open span before a snapshot; ColumnName: the grammar of feature columns' names.

[t − 30d ······ days(30) ······)┊ t          [t − 3m ······ months(3) ······)┊ t
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import total_ordering
from itertools import repeat
from typing import Literal, TypeAlias

from tenure.define.aggregates import KINDS
from tenure.define.naming import definition_place
from tenure.define.shape import is_whole, shown
from tenure.errors import InvalidDefinition

WindowUnit: TypeAlias = Literal["d", "m"]

#: Unit → its word, the longest window in it, and the days that one of it has at most.
_UNITS: dict[str, tuple[str, int, int]] = {"d": ("days", 3660, 1), "m": ("months", 120, 31)}

#: What a feature column's name may end with → how a person says it before "the 30 days before".
AGGREGATES: dict[str, str] = {
    **{name: kind.words for name, kind in KINDS.items()},
    "ratio": "ratio over",
    "share": "share of",
}

_NAME = re.compile(r"(?P<head>.+?)(?:_(?P<window>[1-9][0-9]*[dm])(?:_over_(?P<over>[1-9][0-9]*[dm]))?)?\Z")


#: The subject is as short as it can be, so the aggregate is the longest that fits: distinct_count, not count.
_ENDING = re.compile(rf"(?P<subject>.+?)_(?P<aggregate>{'|'.join(AGGREGATES)})\Z")


@total_ordering
@dataclass(frozen=True)
class Window:
    """The half-open span `[t − length, t)` before a snapshot, in days or calendar months.

    Months count from the day of t, or the month's last day where the month is shorter; a snapshot on a month's
    last day looks back to a month's last day (the end-of-month rule of ISDA 2006, section 4.18).
    """

    length: int
    unit: WindowUnit = "d"

    def __post_init__(self) -> None:
        if not isinstance(self.unit, str) or self.unit not in _UNITS:
            raise InvalidDefinition(f"a window can't be in {shown(self.unit)} ({definition_place()}); allowed: d, m.")
        words, most, _ = _UNITS[self.unit]
        if not is_whole(self.length) or not 1 <= self.length <= most:
            raise InvalidDefinition(
                f"a window of {shown(self.length)} {words} is not allowed ({definition_place()}); allowed: 1 to {most}."
            )

    def __str__(self) -> str:
        return f"{self.length}{self.unit}"

    def __lt__(self, other: Window) -> bool:
        return (self.most_days, self.unit) < (other.most_days, other.unit)

    @property
    def most_days(self) -> int:
        """The days that it spans at most: 31 a month, but 366 a year."""
        years, months = divmod(self.length, 12) if self.unit == "m" else (0, self.length)
        return years * 366 + months * _UNITS[self.unit][2]

    @property
    def words(self) -> str:
        """The span as a person says it: '30 days', '3 months'."""
        word = _UNITS[self.unit][0]
        return f"{self.length} {word if self.length > 1 else word[:-1]}"

    def start(self, t: date) -> date:
        """Return the first day that the window of a snapshot at t sees."""
        if self.unit == "d":
            return t - timedelta(days=self.length)
        month = t.year * 12 + t.month - 1 - self.length
        year, number = divmod(month, 12)
        last = calendar.monthrange(year, number + 1)[1]
        at_end = t.day == calendar.monthrange(t.year, t.month)[1]
        return date(year, number + 1, last if at_end else min(t.day, last))

    @classmethod
    def parse(cls, text: str) -> Window:
        """Return the window that prints as `text`."""
        return cls(int(text[:-1]), "m" if text.endswith("m") else "d")


def days(*lengths: int) -> tuple[Window, ...]:
    """Return windows of so many days, shortest first; raise InvalidDefinition for none."""
    return _windows("days", lengths, "d")


def months(*lengths: int) -> tuple[Window, ...]:
    """Return windows of so many calendar months, shortest first; raise InvalidDefinition for none."""
    return _windows("months", lengths, "m")


def _windows(function: str, lengths: tuple[int, ...], unit: WindowUnit) -> tuple[Window, ...]:
    if not lengths:
        raise InvalidDefinition(
            f"{function}() has no length ({definition_place()}); allowed: one or more, such as {function}(1, 3)."
        )
    return tuple(sorted(map(Window, lengths, repeat(unit))))


@dataclass(frozen=True)
class ColumnName:
    """A feature column's name, taken apart; `parse(str(name)) == name`."""

    subject: str
    aggregate: str = ""
    window: Window | None = None
    over: Window | None = None

    def __str__(self) -> str:
        parts = [self.subject, self.aggregate, str(self.window or "")]
        if self.over:
            parts += ["over", str(self.over)]
        return "_".join(filter(None, parts))

    @classmethod
    def parse(cls, text: str) -> ColumnName:
        """Return the name that prints as `text`; raise InvalidDefinition if the grammar has none."""
        match = _NAME.match(text)
        head = match["head"] if match else ""
        window = Window.parse(match["window"]) if match and match["window"] else None
        over = Window.parse(match["over"]) if match and match["over"] else None
        ending = _ENDING.match(head)
        aggregate = ending["aggregate"] if ending else ""
        if not head or (window and not aggregate):
            raise InvalidDefinition(
                f"'{text}' is not a feature's name; the grammar is <subject>_<aggregate>_<window>, "
                f"for example debit_amount_sum_90d; aggregates: {', '.join(AGGREGATES)}."
            )
        subject = ending["subject"] if ending else head
        return cls(subject, aggregate, window, over)

"""Features: what is read about a customer before a snapshot, and the grammar of the columns' names.

visible: known_time < t                     t
 ───────[ t − 90d ······· window ···········)┊

    <subject>                                  Attribute   region, age
    <subject>_<aggregate>_<window>             Aggregate   debit_amount_sum_90d
    <subject>_<aggregate>                      Aggregate   accounts_count (rows open at t), login_days_since_last
    <subject>_ratio_<window>                   Ratio       fees_to_income_ratio_90d
    <subject>_<aggregate>_<short>_over_<long>  Trend       debit_amount_sum_30d_over_90d
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tenure.define.naming import RESERVED_COLUMNS, check_name, definition_place
from tenure.errors import InvalidDefinition

How: TypeAlias = Literal["count", "sum", "mean", "min", "max", "std", "days_since_last"]
Reading: TypeAlias = Literal["value", "years_since", "days_since"]

#: Aggregate → how a person says it before "30 days".
AGGREGATES: dict[str, str] = {
    "count": "count over",
    "sum": "total over",
    "mean": "average over",
    "min": "smallest in",
    "max": "largest in",
    "std": "standard deviation in",
    "days_since_last": "days since the last",
    "ratio": "ratio over",
    "share": "share of",
}
READINGS: tuple[str, ...] = ("value", "years_since", "days_since")
_WINDOW = re.compile(r"(?P<head>.+?)(?:_(?P<window>[1-9][0-9]*d)(?:_over_(?P<over>[1-9][0-9]*d))?)?\Z")


@dataclass(frozen=True, order=True)
class Window:
    """The half-open span `[t − days, t)` before a snapshot."""

    days: int

    def __post_init__(self) -> None:
        if not 1 <= self.days <= 3660:
            raise InvalidDefinition(
                f"a window of {self.days} days is not allowed ({definition_place()}); allowed: 1 to 3660."
            )

    def __str__(self) -> str:
        return f"{self.days}d"

    @classmethod
    def parse(cls, text: str) -> Window:
        """Return the window that prints as `text`."""
        return cls(int(text.removesuffix("d")))


def days(*lengths: int) -> tuple[Window, ...]:
    """Return windows of so many days, shortest first."""
    return tuple(sorted(Window(length) for length in lengths))


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
        return "_".join(part for part in parts if part)

    @classmethod
    def parse(cls, text: str) -> ColumnName:
        """Return the name that prints as `text`; raise InvalidDefinition if the grammar has none."""
        match = _WINDOW.match(text)
        head = match["head"] if match else ""
        window = Window.parse(match["window"]) if match and match["window"] else None
        over = Window.parse(match["over"]) if match and match["over"] else None
        endings = [a for a in AGGREGATES if head.endswith(f"_{a}") and len(head) > len(a) + 1]
        aggregate = max(endings, key=len, default="")
        if not head or (window and not aggregate):
            raise InvalidDefinition(
                f"'{text}' is not a feature's name; the grammar is <subject>_<aggregate>_<window>, "
                f"for example debit_amount_sum_90d; aggregates: {', '.join(AGGREGATES)}."
            )
        subject = head[: -len(aggregate) - 1] if aggregate else head
        return cls(subject, aggregate, window, over)


@dataclass(frozen=True)
class Description:
    """What a column means, in plain words, and its unit ('' where it has none)."""

    text: str
    unit: str = ""


@dataclass(frozen=True)
class Attribute:
    """A property of the customer, read from the newest version known before t.

    `how` is 'value', or for a time column 'years_since' (age) or 'days_since' (tenure), whole and rounded down.
    """

    name: str
    of: str = field(kw_only=True)
    how: Reading = field(default="value", kw_only=True)
    unit: str = field(default="", kw_only=True)
    doc: str = field(kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_feature(self, self.how, READINGS)
        if ColumnName.parse(self.name) != ColumnName(self.name):
            raise InvalidDefinition(
                f"attribute '{self.name}' ends like an aggregate ({self.where_defined}).",
                hint=f"Rename it so that it does not end with _{', _'.join(AGGREGATES)}.",
            )

    @property
    def columns(self) -> dict[ColumnName, Description]:
        """The one column."""
        return {ColumnName(self.name): Description(self.doc, self.unit)}


@dataclass(frozen=True)
class Aggregate:
    """Rows of a source summed up over windows before t, or over the rows open at t where no window is given.

        [t − 90d ··········· rows with event_time in here and known_time < t ···········) t

    Nothing to sum up: count and sum are 0; mean, min, max, std and days_since_last are null.
    `days_since_last` reads all history, so it takes no window: whole days from the newest event to t.
    """

    name: str
    how: How | Sequence[How] = field(kw_only=True)
    of: str = field(default="", kw_only=True)
    windows: Sequence[Window] = field(default=(), kw_only=True)
    where: str = field(default="", kw_only=True)
    unit: str = field(default="", kw_only=True)
    doc: str = field(kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "how", (self.how,) if isinstance(self.how, str) else tuple(self.how))
        object.__setattr__(self, "windows", tuple(sorted(set(self.windows))))
        for how in self.hows:
            _check_feature(self, how, [a for a in AGGREGATES if a not in ("ratio", "share")])
            if how not in ("count", "days_since_last") and not self.of:
                raise InvalidDefinition(f"feature '{self.name}' takes a {how} of no column ({self.where_defined}).")
        for name in self.columns:
            if ColumnName.parse(str(name)) != name:
                raise InvalidDefinition(
                    f"feature '{self.name}' makes the ambiguous name '{name}' ({self.where_defined})."
                )

    @property
    def hows(self) -> tuple[str, ...]:
        """The aggregates, as a tuple."""
        return tuple(self.how)

    def windows_of(self, how: str) -> tuple[Window | None, ...]:
        """Return the windows that `how` is taken over; None stands for 'no window'."""
        return (None,) if how == "days_since_last" or not self.windows else tuple(self.windows)

    @property
    def columns(self) -> dict[ColumnName, Description]:
        """One column an aggregate and window."""
        return {
            ColumnName(self.name, how, window): self._description(how, window)
            for how in self.hows
            for window in self.windows_of(how)
        }

    def _description(self, how: str, window: Window | None) -> Description:
        if how == "days_since_last":
            return Description(f"{self.doc}, days since the last one", "days")
        told = AGGREGATES[how]
        span = f"{told} the {window.days} days before" if window else told.rpartition(" ")[0]
        return Description(f"{self.doc}, {span}", "" if how == "count" else self.unit)


@dataclass(frozen=True)
class Ratio:
    """One aggregate divided by another over the same windows; null where the divisor is 0 or null.

    `of` and `to` are '<subject>_<aggregate>', for example 'fee_amount_sum'.
    """

    name: str
    of: str = field(kw_only=True)
    to: str = field(kw_only=True)
    windows: Sequence[Window] = field(default=(), kw_only=True)
    doc: str = field(kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "windows", tuple(sorted(set(self.windows))))
        _check_feature(self, "ratio", ("ratio",))

    @property
    def parts(self) -> dict[ColumnName, tuple[ColumnName, ColumnName]]:
        """Each column with its numerator and denominator."""
        spans: tuple[Window | None, ...] = tuple(self.windows) or (None,)
        return {ColumnName(self.name, "ratio", w): (_with_window(self.of, w), _with_window(self.to, w)) for w in spans}

    @property
    def columns(self) -> dict[ColumnName, Description]:
        """One column a window."""
        return {
            name: Description(f"{self.doc}, over the {name.window.days} days before" if name.window else self.doc)
            for name in self.parts
        }


@dataclass(frozen=True)
class Trend:
    """An aggregate's short window against its long one: 1 is steady, below 1 is falling; null without a long value.

    Counts and sums are compared per day: `(short / short days) / (long / long days)`; others as they are.
    """

    of: str
    short: Window = field(kw_only=True)
    long: Window = field(kw_only=True)
    doc: str = field(kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_feature(self, "trend", ("trend",))
        if self.short >= self.long:
            raise InvalidDefinition(
                f"trend of '{self.of}' compares {self.short} with {self.long} ({self.where_defined}); "
                "the short window must be shorter than the long one."
            )

    @property
    def name(self) -> str:
        """The trend's subject, for messages."""
        return self.of

    @property
    def parts(self) -> dict[ColumnName, tuple[ColumnName, ColumnName]]:
        """The column with its short and its long side."""
        short = _with_window(self.of, self.short)
        name = ColumnName(short.subject, short.aggregate, self.short, self.long)
        return {name: (short, _with_window(self.of, self.long))}

    @property
    def columns(self) -> dict[ColumnName, Description]:
        """The one column."""
        text = f"{self.doc}, last {self.short.days} days against the last {self.long.days}"
        return {name: Description(text, "times") for name in self.parts}


Feature: TypeAlias = Attribute | Aggregate | Ratio | Trend


@dataclass(frozen=True)
class FeatureView:
    """Features that read one source. Ratio and Trend may name aggregates of any view."""

    name: str
    source: str = field(kw_only=True)
    features: Sequence[Feature] = field(kw_only=True)
    doc: str = field(default="", kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "where_defined", definition_place())
        object.__setattr__(self, "features", tuple(self.features))
        check_name("feature view", self.name, where=self.where_defined)

    @property
    def columns(self) -> dict[ColumnName, Description]:
        """Every column of the view, in the order of its features."""
        return {name: text for feature in self.features for name, text in feature.columns.items()}


def _with_window(text: str, window: Window | None) -> ColumnName:
    name = ColumnName.parse(text)
    if not name.aggregate or name.window:
        raise InvalidDefinition(
            f"'{text}' must be <subject>_<aggregate> without a window ({definition_place()}), such as fee_amount_sum."
        )
    return ColumnName(name.subject, name.aggregate, window)


def _check_feature(feature: Feature, how: str, allowed: Sequence[str]) -> None:
    place = definition_place()
    object.__setattr__(feature, "where_defined", place)
    if not isinstance(feature, Trend):
        check_name("feature", feature.name, reserved=RESERVED_COLUMNS, where=place)
    if how not in allowed:
        raise InvalidDefinition(f"feature '{feature.name}' has how='{how}' ({place}); allowed: {', '.join(allowed)}.")
    if not feature.doc.strip():
        raise InvalidDefinition(
            f"feature '{feature.name}' has an empty doc ({place}); the dictionary and the reasons are made of it."
        )

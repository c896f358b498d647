"""Features: what is read about a customer before a snapshot.

visible: known_time < t                     t
 ───────[ t − 90d ······· window ···········)┊

    <subject>                                  Attribute   region, age
    <subject>                                  DatePart    month_of_snapshot
    <subject>_<aggregate>_<window>             Aggregate   debit_amount_sum_90d, logins_count_3m
    <subject>_<value>_<aggregate>_<window>     Aggregate with by=   spent_groceries_sum_30d
    <subject>_<aggregate>                      Aggregate   accounts_count (rows open at t), login_days_since_last
    <subject>_ratio_<window>                   Ratio       fees_to_income_ratio_90d
    <subject>_<aggregate>_<short>_over_<long>  Trend       debit_amount_sum_30d_over_90d
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, TypeAlias

from tenure.define.aggregates import KINDS, DaysSince, How
from tenure.define.naming import RESERVED_COLUMNS, check_name, definition_place, invalid
from tenure.define.shape import (
    NAME,
    TEXT,
    Allowed,
    check_shape,
    either,
    instance_of,
    list_of,
    named,
    unknown_kind,
    whole,
)
from tenure.define.window import AGGREGATES, ColumnName, Window
from tenure.errors import InvalidDefinition

Reading: TypeAlias = Literal["value", "years_since", "days_since", "days_to_anniversary", "is_known"]
Part: TypeAlias = Literal["month_of_year"]

READINGS: tuple[str, ...] = ("value", "years_since", "days_since", "days_to_anniversary", "is_known")
DATE_PARTS: tuple[str, ...] = ("month_of_year",)

#: The longest streak in months.
MOST_STREAK = 60

#: The value that mode gives, and entropy counts, for a value that the definition does not list.
OTHER = "other"

_HOWS = tuple(KINDS)
_WINDOWS = list_of(instance_of("Window(…)", Window), "windows such as days(30, 90) or months(3)")
_WINDOW = instance_of("one window, such as Window(30)", Window)
_HOW = either("the name of an aggregate, or a list of them", TEXT, list_of(TEXT, least=1))
_TEXTS = list_of(TEXT, "a list of texts")
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.&/+-]{0,40}\Z")


@dataclass(frozen=True)
class Description:
    """A column in plain words: its meaning, its unit ('' for none), the rows it reads, its value of no rows."""

    text: str
    unit: str = ""
    boundary: str = ""
    empty: str = ""


@dataclass(frozen=True)
class Attribute:
    """A property of the customer, read from the newest version known before t.

    `how` is 'value'; for a time column 'years_since' (age) or 'days_since' (tenure), whole and rounded down, or
    'days_to_anniversary': whole days to the next anniversary, 0 on the day itself, which is 1 March for 29 February in
    a common year; or 'is_known': whether the bank knew any value.
    """

    name: str
    of: str = field(kw_only=True)
    how: Reading = field(default="value", kw_only=True)
    unit: str = field(default="", kw_only=True)
    doc: str = field(kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_fields(self, of=NAME, how=TEXT, unit=TEXT)
        _check_feature(self, self.how, READINGS)
        _check_plain_name(self)

    @property
    def columns(self) -> dict[ColumnName, Description]:
        """The one column."""
        empty = "false" if self.how == "is_known" else "null where the bank did not know it"
        description = Description(self.doc, self.unit, "the newest version with known_time < t", empty)
        return {ColumnName(self.name): description}


@dataclass(frozen=True)
class DatePart:
    """A part of the snapshot date itself, the same for all customers at t: 'month_of_year', a whole number 1 to 12.

    It says what the season is. A model can tell a season from a trend only where its history has each month twice.
    """

    name: str
    how: Part = field(kw_only=True)
    doc: str = field(kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_fields(self, how=TEXT)
        _check_feature(self, self.how, DATE_PARTS)
        _check_plain_name(self)

    @property
    def columns(self) -> dict[ColumnName, Description]:
        """The one column."""
        return {ColumnName(self.name): Description(self.doc, boundary="t itself", empty="never null")}


@dataclass(frozen=True)
class Aggregate:
    """Sums, means and the like over the rows of a source in windows before t; without a window, over those open at t.

        [t − 90d ··········· rows with event_time in here and known_time < t ···········) t

    `of` names the column; rows where it is null are left out. `where` keeps only the rows that meet a condition.
    `by` and `values` make the same columns once for each listed value of a column: per-category counts and sums.

    The head of `tenure/define/aggregates.py` says what each `how` computes. With `reconciled`, the name of a
    Reconciliation, the columns are null for a customer with rows in an account of which it finds a break of a day
    before t, in what was known before t.
    """

    name: str
    how: How | Sequence[How] = field(kw_only=True)
    of: str = field(default="", kw_only=True)
    windows: Sequence[Window] = field(default=(), kw_only=True)
    where: str = field(default="", kw_only=True)
    by: str = field(default="", kw_only=True)
    values: Sequence[str] = field(default=(), kw_only=True)
    reconciled: str = field(default="", kw_only=True)
    unit: str = field(default="", kw_only=True)
    doc: str = field(kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        texts = dict.fromkeys(("of", "where", "by", "reconciled", "unit"), TEXT)
        _check_fields(self, how=_HOW, windows=_WINDOWS, values=_TEXTS, **texts)
        object.__setattr__(self, "how", (self.how,) if isinstance(self.how, str) else tuple(self.how))
        object.__setattr__(self, "windows", tuple(sorted(set(self.windows))))
        object.__setattr__(self, "values", tuple(self.values))
        for how in self.hows or ("",):
            _check_feature(self, how, _HOWS)
            self._check_how(how)
        self._check_values()
        for name in self.columns:
            if ColumnName.parse(str(name)) != name:
                raise invalid("feature", self, f"makes the ambiguous name '{name}'")

    def _check_how(self, how: str) -> None:
        kind = KINDS[how]
        if kind.needs_column and not self.of:
            raise invalid("feature", self, f"takes a {how} of no column")
        if kind.needs_window and not self.windows:
            hint = "Give it windows=days(30, 90) or windows=months(3)."
            raise invalid("feature", self, f"takes a {how} over no window", hint=hint)
        if kind.window == "months":
            self._check_streak()
        if kind.lists_values and not self.values:
            hint = "List them: values=('groceries', 'dining', …); what is not listed counts as 'other'."
            raise invalid("feature", self, f"takes the {how} of '{self.of}' and lists no values", hint=hint)

    def _check_streak(self) -> None:
        shortest, longest = self.windows[0], self.windows[-1]
        if any(window.unit != "m" for window in self.windows):
            raise invalid(
                "feature",
                self,
                f"counts a streak of months over {shortest}",
                "; allowed: windows=months(…)",
                hint="Give the streak an Aggregate of its own.",
            )
        if longest.length > MOST_STREAK:
            allowed = f"; allowed: up to {MOST_STREAK} months, which are kept as the bits of an integer"
            raise invalid("feature", self, f"counts a streak of {longest.words}", allowed)

    def _check_values(self) -> None:
        if self.by and not self.values:
            hint = "List them: values=('groceries', 'dining', …)."
            raise invalid("feature", self, f"is made by '{self.by}' and lists no values", hint=hint)
        if self.values and not self.by and not any(KINDS[how].lists_values for how in self.hows):
            hint = "Give by=, the column whose values they are."
            raise invalid("feature", self, "lists values that nothing reads", hint=hint)
        for value in self.values:
            if not _VALUE.match(value) or value == OTHER:
                allowed = (
                    "; allowed: up to 41 of A-Z, a-z, 0-9, blank and _.&/+-, beginning with a letter or digit, "
                    "and not 'other'"
                )
                raise invalid("feature", self, f"lists the value {value!r}", allowed)
        if len(set(map(_slug, self.values))) < len(self.values):
            listed = f": {', '.join(self.values)}"
            raise invalid("feature", self, "lists values that make the same column name", listed)

    @property
    def hows(self) -> tuple[str, ...]:
        """The aggregates, as a tuple."""
        return tuple(self.how)

    def windows_of(self, how: str) -> tuple[Window | None, ...]:
        """Return the windows that `how` is computed over; (None,) where it is computed over none."""
        return (None,) if KINDS[how].reads_all_history or not self.windows else tuple(self.windows)

    @cached_property
    def simple(self) -> tuple[Aggregate, ...]:
        """The same columns without `by`: one Aggregate for each value, with the value in its condition."""
        return tuple(map(self._of_value, self.values)) if self.by else (self,)

    def _of_value(self, value: str) -> Aggregate:
        where = f"{self.by} = '{value}'"
        made = replace(
            self,
            name=f"{self.name}_{_slug(value)}",
            where=f"({self.where}) AND {where}" if self.where else where,
            by="",
            values=(),
            doc=f"{self.doc}: {value}",
        )
        object.__setattr__(made, "where_defined", self.where_defined)
        return made

    @property
    def columns(self) -> dict[ColumnName, Description]:
        """One column for each aggregate and window, and for each value where `by` is given."""
        found = {}
        for part in self.simple:
            for how in part.hows:
                for window in part.windows_of(how):
                    found[ColumnName(part.name, how, window)] = part._description(how, window)  # noqa: SLF001  (itself)
        return found

    def _description(self, how: str, window: Window | None) -> Description:
        kind = KINDS[how]
        empty = "null where there are none" if kind.empty is None else "0 where there are none"
        if self.reconciled:
            empty += f", null where '{self.reconciled}' finds a break"
        if isinstance(kind.computed, DaysSince):
            which = "last" if kind.computed.newest else "first"
            text, boundary = f"{self.doc}, days since the {which} one", "all event_time < t with known_time < t"
        elif window:
            text = f"{self.doc}, {kind.words} the {window.words} before"
            boundary = f"event_time in [t − {window}, t), known_time < t"
        else:
            text, boundary = f"{self.doc}, {kind.words.rpartition(' ')[0]}", "open at t, known_time < t"
        return Description(text, kind.unit_of(self.unit), boundary, empty)


@dataclass(frozen=True)
class Ratio:
    """One aggregate divided by another over the same windows; null where the divisor is 0 or null.

    `of` and `to` are '<subject>_<aggregate>', for example 'fee_amount_sum'. A share of wallet is a Ratio of a part
    to its whole.
    """

    name: str
    of: str = field(kw_only=True)
    to: str = field(kw_only=True)
    windows: Sequence[Window] = field(default=(), kw_only=True)
    doc: str = field(kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_fields(self, of=NAME, to=NAME, windows=_WINDOWS)
        object.__setattr__(self, "windows", tuple(sorted(set(self.windows))))
        _check_feature(self, "ratio", ("ratio",))

    @property
    def parts(self) -> dict[ColumnName, tuple[ColumnName, ColumnName]]:
        """Each column with its numerator and denominator."""
        found = {}
        for window in self.windows or (None,):
            numerator, denominator = _with_window(self.of, window), _with_window(self.to, window)
            found[ColumnName(self.name, "ratio", window)] = (numerator, denominator)
        return found

    @property
    def columns(self) -> dict[ColumnName, Description]:
        """One column for each window."""
        found = {}
        for name, parts in self.parts.items():
            text = f"{self.doc}, over the {name.window.words} before" if name.window else self.doc
            found[name] = _comparison(text, "", *parts)
        return found


@dataclass(frozen=True)
class Trend:
    """An aggregate's short window against its long one: 1 is steady, below 1 is falling; null without a long value.

    Counts and sums are compared per day or month: `(short / short length) / (long / long length)`, both windows in
    one unit; the others as they are.
    """

    of: str
    short: Window = field(kw_only=True)
    long: Window = field(kw_only=True)
    doc: str = field(kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_fields(self, of=NAME, short=_WINDOW, long=_WINDOW)
        _check_feature(self, "trend", ("trend",))
        if self.short >= self.long or self.short.unit != self.long.unit:
            allowed = "; the short window must be shorter than the long one, and both in days or both in months"
            raise invalid("trend of", self, f"compares {self.short} with {self.long}", allowed)

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
        text = f"{self.doc}, last {self.short.words} against the last {self.long.words}"
        ((name, parts),) = self.parts.items()
        return {name: _comparison(text, "times", *parts)}


Feature: TypeAlias = Attribute | DatePart | Aggregate | Ratio | Trend

FEATURES: tuple[type, ...] = (Attribute, DatePart, Aggregate, Ratio, Trend)

_FEATURES = list_of(instance_of("", *FEATURES), "a list of Attribute(…), DatePart(…), Aggregate(…), Ratio(…), Trend(…)")

#: The oldest version that an attribute may be read of: a hundred years.
_TTL = whole(0, 36600)


@dataclass(frozen=True)
class FeatureView:
    """Features that read one source. Ratio and Trend may name aggregates of any view.

    `ttl` is for attributes: a version known more than so many days before t is too old, and its values are null.
    """

    name: str
    source: str = field(kw_only=True)
    features: Sequence[Feature] = field(kw_only=True)
    ttl: int = field(default=0, kw_only=True)
    doc: str = field(default="", kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "where_defined", definition_place())
        check_name("feature view", self.name, where=self.where_defined)
        check_shape(named("feature view", self.name), self, source=NAME, features=_FEATURES, doc=TEXT)
        object.__setattr__(self, "features", tuple(self.features))
        if not _TTL.test(self.ttl) or (self.ttl and not self.attributes):
            allowed = "; allowed: whole days, 1 to 36600, in a view with an Attribute; aggregates have their windows"
            raise invalid("feature view", self, f"has ttl={self.ttl!r}", allowed)

    @property
    def columns(self) -> dict[ColumnName, Description]:
        """Every column of the view, in the order of its features."""
        found: dict[ColumnName, Description] = {}
        for feature in self.features:
            found.update(feature.columns)
        return found

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The view's attributes."""
        return tuple(feature for feature in self._known_features if isinstance(feature, Attribute))

    @property
    def date_parts(self) -> tuple[DatePart, ...]:
        """The view's parts of the snapshot date, which read no row of its source."""
        return tuple(feature for feature in self._known_features if isinstance(feature, DatePart))

    @cached_property
    def aggregates(self) -> tuple[Aggregate, ...]:
        """The view's aggregates, those made `by` a column once for each value."""
        found: list[Aggregate] = []
        for feature in self._known_features:
            if isinstance(feature, Aggregate):
                found += feature.simple
        return tuple(found)

    @property
    def comparisons(self) -> Iterator[tuple[Ratio | Trend, ColumnName, tuple[ColumnName, ColumnName]]]:
        """Each column that compares two others, with its feature and the two."""
        for feature in self._known_features:
            if isinstance(feature, Ratio | Trend):
                for name, parts in feature.parts.items():
                    yield feature, name, parts

    @property
    def _known_features(self) -> Sequence[Feature]:
        """The features; raises InvalidDefinition for one of an unknown class, which each reader would pass over."""
        for feature in self.features:
            if type(feature) not in FEATURES:
                raise unknown_kind("feature", feature, FEATURES)
        return self.features


@dataclass(frozen=True)
class FeatureService:
    """A named set of features, such as those of one model: whole views, single columns, or both.

    `features` are names of views, or of columns such as 'debit_amount_sum_90d'.
    """

    name: str
    features: Sequence[str] = field(kw_only=True)
    doc: str = field(default="", kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "where_defined", definition_place())
        check_name("feature service", self.name, where=self.where_defined)
        names = list_of(TEXT, "a list of names of views or columns")
        check_shape(named("feature service", self.name), self, features=names, doc=TEXT)
        object.__setattr__(self, "features", tuple(self.features))
        if not self.features:
            raise invalid("feature service", self, "has no features")


def _slug(value: str) -> str:
    return re.sub("[^a-z0-9]+", "_", value.lower()).strip("_")


def _with_window(text: str, window: Window | None) -> ColumnName:
    name = ColumnName.parse(text)
    if not name.aggregate or name.window:
        raise InvalidDefinition(
            f"'{text}' must be <subject>_<aggregate> without a window ({definition_place()}), such as fee_amount_sum."
        )
    return ColumnName(name.subject, name.aggregate, window)


def _comparison(text: str, unit: str, compared: ColumnName, divisor: ColumnName) -> Description:
    """The description of a column that divides one column by another."""
    return Description(text, unit, f"that of {compared} and {divisor}", f"null where {divisor} is 0 or null")


def _check_fields(feature: Feature, **fields: Allowed) -> None:
    """Refuse a field of a wrong type, before anything reads it."""
    check_shape(named(kind_words(feature), feature.name), feature, **fields, doc=TEXT)


def kind_words(feature: Feature) -> str:
    """Return what kind of feature it is, as messages and lineage name it: 'aggregate', 'date part'."""
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", type(feature).__name__).lower()


def _check_plain_name(feature: Attribute | DatePart) -> None:
    """Refuse a name that is the whole column's, and that the grammar would take apart."""
    if ColumnName.parse(feature.name) != ColumnName(feature.name):
        hint = f"Rename it so that it does not end with _{', _'.join(AGGREGATES)}."
        raise invalid(kind_words(feature), feature, "ends like an aggregate", hint=hint)


def _check_feature(feature: Feature, how: str, allowed: Sequence[str]) -> None:
    place = definition_place()
    object.__setattr__(feature, "where_defined", place)
    if not isinstance(feature, Trend):
        check_name("feature", feature.name, reserved=RESERVED_COLUMNS, where=place)
    if how not in allowed:
        raise invalid("feature", feature, f"has how='{how}'", f"; allowed: {', '.join(allowed)}")
    if not feature.doc.strip():
        raise invalid("feature", feature, "has an empty doc", "; the dictionary and the reasons are made of it")

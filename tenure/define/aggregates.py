"""Aggregates: a table with one row an aggregate, which says all that is known of it.

    row ──► terms ──────► sums that merge ──► formula ─────────► feature
            value, day    n, Σ value          Σ value / n        mean

Whoever needs a list of aggregates derives it from this table. A formula is data: `tenure/tiles` prints it as SQL, and
`tenure/arrays` adds up the same sums. An aggregate that is no arithmetic over sums names its family, whose code stands
in `tenure/tiles`. The oracle computes each aggregate anew and reads no formula: its worth is that it shares nothing.

=================  ===========================================================  ====================
how                result                                                       of no rows
=================  ===========================================================  ====================
count, sum         rows; total                                                  0
mean, min, max     of a number                                                  null
std                of the sample (n − 1)                                        null, also of one row
slope              change a day: least squares over the UTC days of events      null, also under three
                                                                                rows, or of one day
median, p10…p90    interpolated (type 7 of Hyndman and Fan, 1996)               null
first, last        the value at the earliest or newest event; ties by the key   null
distinct_count     distinct values, exact                                       0
active_days        distinct days (UTC) with a row                               0
mode               the most frequent of `values`, 'other' for the rest;         null
                   of equals the one listed first, 'other' last
entropy            −Σ p·ln p over `values` and 'other' (Shannon), in nats       null
streak             months in a row, back from t, with a row; windows=months(n)  0
days_since_last    whole days from the newest event of all history to t         null
days_since_first   whole days from the first event of all history to t          null
=================  ===========================================================  ====================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tenure.define.naming import by_name

How: TypeAlias = Literal[
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "std",
    "slope",
    "median",
    "p10",
    "p25",
    "p75",
    "p90",
    "first",
    "last",
    "distinct_count",
    "active_days",
    "mode",
    "entropy",
    "streak",
    "days_since_last",
    "days_since_first",
]

#: What a row holds: the column's value, the UTC day of its event in days since a fixed one, the instant of its event.
Factor: TypeAlias = Literal["value", "day", "instant"]


@dataclass(frozen=True)
class Term:
    """A product of what one row holds, such as day · value; null where the column's value is null."""

    factors: tuple[Factor, ...]

    def __mul__(self, other: Term) -> Term:
        return Term(tuple(sorted(self.factors + other.factors)))


VALUE, DAY, INSTANT = Term(("value",)), Term(("day",)), Term(("instant",))


class Expression:
    """A node of a formula: a sum over rows, or arithmetic over such sums."""

    def __add__(self, other: Expression) -> Arithmetic:
        return Arithmetic("+", self, other)

    def __sub__(self, other: Expression) -> Arithmetic:
        return Arithmetic("-", self, other)

    def __mul__(self, other: Expression) -> Arithmetic:
        return Arithmetic("*", self, other)

    def __truediv__(self, other: Expression) -> Arithmetic:
        return Arithmetic("/", self, other)


@dataclass(frozen=True)
class Count(Expression):
    """How many rows count."""


@dataclass(frozen=True)
class Sum(Expression):
    """The sum of a term over rows: of whole numbers and decimals exact."""

    of: Term


@dataclass(frozen=True)
class Min(Expression):
    """The smallest of a term over rows; null of none."""

    of: Term


@dataclass(frozen=True)
class Max(Expression):
    """The largest of a term over rows; null of none."""

    of: Term


@dataclass(frozen=True)
class Number(Expression):
    """A whole number."""

    number: int


@dataclass(frozen=True)
class Arithmetic(Expression):
    """Two expressions and what is between them."""

    operator: Literal["+", "-", "*", "/"]
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Sqrt(Expression):
    """A square root."""

    of: Expression


@dataclass(frozen=True)
class NullIfZero(Expression):
    """A number, null where it is 0: a divisor."""

    of: Expression


@dataclass(frozen=True)
class AtLeast(Expression):
    """An expression, null where fewer rows count."""

    rows: int
    of: Expression


@dataclass(frozen=True)
class Scatter(Expression):
    """n·Σxy − Σx·Σy of two terms: n times the sum of the products of their distances from their means.

    Both products are far larger than their difference, so it is a node of its own: it is exact until it is a number
    with a floating point.
    """

    x: Term
    y: Term


Summed: TypeAlias = Count | Sum | Min | Max


def nodes_of(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all below it, from the left; of a `Scatter` its sums."""
    yield expression
    match expression:
        case Arithmetic(_, left, right):
            yield from nodes_of(left)
            yield from nodes_of(right)
        case Sqrt(of) | NullIfZero(of):
            yield from nodes_of(of)
        case AtLeast(_, of):
            yield Count()
            yield from nodes_of(of)
        case _:
            return


def sums_of(expression: Expression) -> tuple[Summed, ...]:
    """Return the sums that an expression is made of, each once, in the order in which it reads them."""
    found: list[Summed] = []
    for node in nodes_of(expression):
        if isinstance(node, Scatter):
            found += [Count(), Sum(node.x), Sum(node.y), Sum(node.x * node.y)]
        elif isinstance(node, Count | Sum | Min | Max):
            found.append(node)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Formula:
    """Arithmetic over sums that merge: two spans' sums give that of both."""

    of: Expression

    @property
    def adds_values(self) -> bool:
        """Whether it adds up values, or products with them: of floats the order would then matter."""
        return any(isinstance(part, Sum) and "value" in part.of.factors for part in sums_of(self.of))

    @property
    def reads_days(self) -> bool:
        """Whether it reads the days of events."""
        return any(isinstance(part, Sum | Min | Max) and "day" in part.of.factors for part in sums_of(self.of))


@dataclass(frozen=True)
class Quantile:
    """The value at a share of the way through the sorted ones (type 7 of Hyndman and Fan, 1996)."""

    share: float


@dataclass(frozen=True)
class EndValue:
    """The value at the newest event, or at the first one."""

    newest: bool


@dataclass(frozen=True)
class ActiveDays:
    """Distinct days with a row."""


@dataclass(frozen=True)
class DistinctValues:
    """Distinct values."""


@dataclass(frozen=True)
class MostFrequent:
    """Which of the listed values most rows have."""


@dataclass(frozen=True)
class Entropy:
    """Shannon's entropy of the listed values."""


@dataclass(frozen=True)
class Streak:
    """Months in a row with a row, back from t."""


@dataclass(frozen=True)
class DaysSince:
    """Whole days from the newest event of all history to t, or from the first one."""

    newest: bool


Family: TypeAlias = (
    Formula | Quantile | EndValue | ActiveDays | DistinctValues | MostFrequent | Entropy | Streak | DaysSince
)

_NUMBERS = frozenset({"integer", "decimal", "float"})
_PLAIN = frozenset({"string", "boolean", *_NUMBERS})
_TEXTS = frozenset({"string"})
_ANY = frozenset({"date", "timestamp", *_PLAIN})


@dataclass(frozen=True)
class AggregateKind:
    """One aggregate. `words` is how a person says it before "the 30 days before".

    `formula` is how it is computed, as a clause before "of the rows of …"; `{of}` is its column, `{values}` those that
    it lists. `unit` is that of its column, where `{unit}` is the unit of the values. `empty` is what it is of no rows,
    0 or null. `reads` are the types of column that it takes; some need none. `window` says whether it takes a window
    ('optional': without one it reads the rows open at t), needs one, needs one in months, or takes all history.
    `grows` with the length of its window, so a Trend compares it by the day.
    """

    name: str
    words: str
    computed: Family
    formula: str = field(kw_only=True)
    unit: str = field(default="{unit}", kw_only=True)
    empty: Literal[0] | None = field(default=None, kw_only=True)
    reads: frozenset[str] = field(default=_ANY, kw_only=True)
    needs_column: bool = field(default=True, kw_only=True)
    window: Literal["optional", "needed", "months", "all history"] = field(default="optional", kw_only=True)
    grows: bool = field(default=False, kw_only=True)

    @property
    def reads_numbers(self) -> bool:
        """Whether it reads numbers alone."""
        return self.reads == _NUMBERS

    @property
    def needs_window(self) -> bool:
        """Whether it is refused without a window."""
        return self.window in ("needed", "months")

    @property
    def reads_all_history(self) -> bool:
        """Whether it reads all events before t, whatever the windows."""
        return self.window == "all history"

    @property
    def lists_values(self) -> bool:
        """Whether it counts the listed `values`."""
        return isinstance(self.computed, MostFrequent | Entropy)

    @property
    def adds_values(self) -> bool:
        """Whether a plain sum of the values is in it."""
        return isinstance(self.computed, Formula) and Sum(VALUE) in nodes_of(self.computed.of)

    def unit_of(self, unit: str) -> str:
        """Return the unit of its column, of values in `unit`."""
        return self.unit.format(unit=unit).strip()


#: Formulas that are also computed of a list of floats, which has its own way to each (`tenure/tiles/lists.py`).
TOTAL = Sum(VALUE)
MEAN = Sum(VALUE) / NullIfZero(Count())
DEVIATION = AtLeast(2, Sqrt(Scatter(VALUE, VALUE) / Count() / (Count() - Number(1))))
SLOPE = AtLeast(3, Scatter(DAY, VALUE) / NullIfZero(Scatter(DAY, DAY)))


def _quantile(name: str, words: str, share: float) -> AggregateKind:
    formula = f"{{of}} at {share:.0%} of the way through the sorted values, interpolated"
    return AggregateKind(name, words, Quantile(share), formula=formula, reads=_NUMBERS, window="needed")


_TABLE = (
    AggregateKind(
        "count", "count over", Formula(Count()), formula="number", unit="", empty=0, needs_column=False, grows=True
    ),
    AggregateKind("sum", "total over", Formula(TOTAL), formula="sum of {of}", empty=0, reads=_NUMBERS, grows=True),
    AggregateKind("mean", "average over", Formula(MEAN), formula="sum of {of} ÷ number", reads=_NUMBERS),
    AggregateKind("min", "smallest in", Formula(Min(VALUE)), formula="smallest {of}", reads=_NUMBERS),
    AggregateKind("max", "largest in", Formula(Max(VALUE)), formula="largest {of}", reads=_NUMBERS),
    AggregateKind(
        "std", "standard deviation in", Formula(DEVIATION), formula="standard deviation of {of} (n − 1)", reads=_NUMBERS
    ),
    AggregateKind(
        "slope",
        "change a day over",
        Formula(SLOPE),
        formula="change of {of} a day, by least squares over the UTC days of events,",
        unit="{unit} a day",
        reads=_NUMBERS,
        window="needed",
    ),
    _quantile("median", "median of", 0.5),
    _quantile("p10", "10th percentile of", 0.1),
    _quantile("p25", "25th percentile of", 0.25),
    _quantile("p75", "75th percentile of", 0.75),
    _quantile("p90", "90th percentile of", 0.9),
    AggregateKind(
        "first", "first in", EndValue(newest=False), formula="{of} of the earliest", reads=_PLAIN, window="needed"
    ),
    AggregateKind(
        "last", "last in", EndValue(newest=True), formula="{of} of the newest", reads=_PLAIN, window="needed"
    ),
    AggregateKind(
        "distinct_count",
        "distinct values in",
        DistinctValues(),
        formula="number of distinct values of {of}",
        unit="",
        empty=0,
    ),
    AggregateKind(
        "active_days",
        "days with any in",
        ActiveDays(),
        formula="number of distinct UTC days",
        unit="days",
        empty=0,
        needs_column=False,
        window="needed",
    ),
    AggregateKind(
        "mode",
        "most frequent in",
        MostFrequent(),
        formula="most frequent of {values} and 'other' in {of}",
        unit="",
        reads=_TEXTS,
        window="needed",
    ),
    AggregateKind(
        "entropy",
        "entropy over",
        Entropy(),
        formula="−Σ p · ln p of {values} and 'other' in {of}",
        unit="nats",
        reads=_TEXTS,
        window="needed",
    ),
    AggregateKind(
        "streak",
        "unbroken months up to the snapshot with any in",
        Streak(),
        formula="months in a row, back from t, with any",
        unit="months",
        empty=0,
        needs_column=False,
        window="months",
    ),
    AggregateKind(
        "days_since_last",
        "days since the last",
        DaysSince(newest=True),
        formula="whole days to t since the newest",
        unit="days",
        needs_column=False,
        window="all history",
    ),
    AggregateKind(
        "days_since_first",
        "days since the first",
        DaysSince(newest=False),
        formula="whole days to t since the first",
        unit="days",
        needs_column=False,
        window="all history",
    ),
)

#: Aggregate → its row.
KINDS: dict[str, AggregateKind] = by_name(_TABLE)

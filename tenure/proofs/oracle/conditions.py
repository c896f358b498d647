"""Condition: the bank's own `where=` evaluated in plain Python, a row at a time, with SQL's three-valued logic.

    where ──(sqlglot)──► tree ──(compiled)──► a function of a row ──► True, False or None (unknown)

It covers what `tenure.sql.condition` lets through and plain Python can say for sure; anything else raises
UnprovenCondition, which names it: better not proved than proved by a guess.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, TypeAlias

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tenure.define.dialect import Dialect
from tenure.errors import UnprovenCondition
from tenure.proofs.oracle.rules import Row, all_true, any_true
from tenure.proofs.oracle.values import Months, NotSure, arithmetic, as_text, cast, compared, equal, rounded

#: What a row gives: a value, null as None.
Reading: TypeAlias = Callable[[Row], Any]


@dataclass(frozen=True)
class Condition:
    """A compiled `where`: its text, the columns that it reads, and whether a row meets it."""

    where: str
    dialect: Dialect
    columns: tuple[str, ...]
    reading: Reading = field(repr=False)
    _known: dict[Any, bool | None] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, row: Row) -> bool | None:
        """Return true, false or unknown (None) of a row; raise UnprovenCondition if that is not sure."""
        try:
            return _truth(self.reading(row))
        except (NotSure, OverflowError) as error:
            raise _unproven(self.where, error, "can't be recomputed for sure in plain Python") from error

    def met_by(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows that meet it; raise UnprovenCondition if that is not sure of one."""
        # Most conditions ask for a few categories, so most rows are like one that was asked before.
        read, known = itemgetter(*self.columns) if self.columns else len, self._known
        found = []
        for row in rows:
            values = read(row)
            if values not in known:
                known[values] = self(row)
            if known[values]:
                found.append(row)
        return found


def compiled(where: str, dialect: Dialect) -> Condition:
    """Return `where` as a function of a row; raise UnprovenCondition, naming what has no plain Python."""
    try:
        tree = sqlglot.parse_one(where, read=dialect, into=exp.Condition)
    except SqlglotError as error:
        raise UnprovenCondition(f"where={where!r} is not SQL.", hint="Run 'tenure check'.") from error
    columns = tuple(dict.fromkeys(column.name for column in tree.find_all(exp.Column)))
    try:
        return Condition(where, dialect, columns, _Compiler(dialect).reading(tree))
    except NotSure as error:
        raise _unproven(where, error, "has no plain Python") from error


def _unproven(where: str, found: Exception, why: str) -> UnprovenCondition:
    """The error of a condition in which something was found that keeps it from being proved."""
    return UnprovenCondition(
        f"where={where!r} {found}, which {why}.",
        hint="Compute it in the source's select= and give it a column of its own.",
    )


def _truth(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal | float):
        return bool(value != 0)
    raise NotSure(f"takes {value!r} for true or false")


_COMPARISONS: dict[type[exp.Expression], Callable[[int], bool]] = {
    exp.EQ: lambda order: order == 0,
    exp.NEQ: lambda order: order != 0,
    exp.LT: lambda order: order < 0,
    exp.LTE: lambda order: order <= 0,
    exp.GT: lambda order: order > 0,
    exp.GTE: lambda order: order >= 0,
}
_OPERATORS: dict[type[exp.Expression], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.IntDiv: "//",
    exp.Mod: "%",
}
_KINDS = {
    "TEXT": "string",
    "VARCHAR": "string",
    "CHAR": "string",
    "BIGINT": "integer",
    "INT": "integer",
    "DECIMAL": "decimal",
    "DOUBLE": "float",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMPNTZ": "timestamp",
}
_INTERVALS = {"WEEK": 7 * 86400, "DAY": 86400, "HOUR": 3600, "MINUTE": 60, "SECOND": 1}

#: Arguments of a node that change nothing of its meaning here.
_IDLE = {"safe", "typed", "coalesce", "ignore_nulls", "_type"}


class _Compiler:
    """Turns a tree into nested functions of a row, one method a kind of expression."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def reading(self, tree: Any) -> Reading:
        made = self._constant(tree) or self._logic(tree) or self._number(tree) or self._text(tree) or self._choice(tree)
        if made is None:
            raise self._not_sure(tree, type(tree).__name__.upper())
        return made

    def _all(self, trees: Iterable[Any]) -> list[Reading]:
        return list(map(self.reading, trees))

    def _not_sure(self, tree: Any, what: str) -> NotSure:
        """The error of a part of the condition that has no plain Python, with its SQL."""
        return NotSure(f"has {what} ({tree.sql(dialect=self.dialect)})")

    def _plain(self, tree: exp.Expression, *known: str) -> None:
        """Refuse an argument that the meaning would depend on and nobody reads."""
        for name, value in tree.args.items():
            if value and name not in known and name not in _IDLE:
                raise self._not_sure(tree, f"{type(tree).__name__.upper()} with {name}")

    def _constant(self, tree: Any) -> Reading | None:
        if isinstance(tree, exp.Column):
            name = tree.name
            return lambda row: row[name]
        if isinstance(tree, exp.Paren):
            return self.reading(tree.this)
        if isinstance(tree, exp.Null):
            return lambda _: None
        if isinstance(tree, exp.Boolean):
            value = bool(tree.this)
            return lambda _: value
        if isinstance(tree, exp.Literal):
            literal = tree.this if tree.is_string else _parsed(str(tree.this))
            return lambda _: literal
        if isinstance(tree, exp.Interval):
            span = _interval(tree)
            return lambda _: span
        return None

    def _logic(self, tree: Any) -> Reading | None:
        kind = type(tree)
        if kind in _COMPARISONS:
            return self._comparison(tree, _COMPARISONS[kind])
        if kind in (exp.And, exp.Or, exp.Xor):
            left, right = self._all((tree.this, tree.expression))
            if kind is exp.Xor:
                return lambda row: _known(lambda a, b: a != b, _truth(left(row)), _truth(right(row)))
            return lambda row: _decided(kind is exp.Or, left, right, row)
        if kind is exp.Not:
            asked = self.reading(tree.this)
            return lambda row: _known(lambda a: not a, _truth(asked(row)))
        if kind is exp.Is:
            return self._is(tree)
        if kind in (exp.NullSafeEQ, exp.NullSafeNEQ):
            left, right = self._all((tree.this, tree.expression))
            return lambda row: _same(left(row), right(row)) is (kind is exp.NullSafeEQ)
        if kind is exp.In:
            self._plain(tree, "this", "expressions")
            value, members = self.reading(tree.this), self._all(tree.expressions)
            return lambda row: any_true([equal(value(row), member(row)) for member in members])
        if kind is exp.Between:
            self._plain(tree, "this", "low", "high")
            value, low, high = self._all((tree.this, tree.args["low"], tree.args["high"]))
            return lambda row: _between(value(row), low(row), high(row))
        return self._like(tree, "") if kind in (exp.Like, exp.ILike, exp.Escape) else None

    def _comparison(self, tree: Any, holds: Callable[[int], bool]) -> Reading:
        left, right = self._all((tree.this, tree.expression))
        return lambda row: _known(lambda a, b: holds(compared(a, b)), left(row), right(row))

    def _is(self, tree: Any) -> Reading:
        value = self.reading(tree.this)
        if isinstance(tree.expression, exp.Null):
            return lambda row: value(row) is None
        if isinstance(tree.expression, exp.Boolean):
            wanted = bool(tree.expression.this)
            return lambda row: _truth(value(row)) is wanted
        raise self._not_sure(tree, "IS")

    def _like(self, tree: Any, escape: str) -> Reading:
        if isinstance(tree, exp.Escape):
            return self._like(tree.this, tree.expression.name)
        if not isinstance(tree, exp.Like | exp.ILike):
            raise self._not_sure(tree, "ESCAPE")
        self._plain(tree, "this", "expression", "negate")
        folded, negated = isinstance(tree, exp.ILike), bool(tree.args.get("negate"))
        escape = escape or ("\\" if self.dialect == "spark" else "")
        value, pattern = self._all((tree.this, tree.expression))

        def like(text: Any, wanted: Any) -> bool:
            if not (isinstance(text, str) and isinstance(wanted, str)):
                raise NotSure("takes LIKE of what is no text")
            text, wanted = (_lower(text), _lower(wanted)) if folded else (text, wanted)
            return (re.fullmatch(_pattern(wanted, escape), text, re.DOTALL) is not None) is not negated

        return lambda row: _known(like, value(row), pattern(row))

    def _number(self, tree: Any) -> Reading | None:
        kind, dialect = type(tree), self.dialect
        if kind in _OPERATORS:
            left, right = self._all((tree.this, tree.expression))
            operator = _OPERATORS[kind]
            return lambda row: arithmetic(operator, left(row), right(row), dialect)
        if kind is exp.Neg:
            value = self.reading(tree.this)
            return lambda row: arithmetic("*", -1, value(row), dialect)
        if kind in (exp.Abs, exp.Ceil, exp.Floor):
            self._plain(tree, "this")
            value, function = self.reading(tree.this), {exp.Abs: abs, exp.Ceil: _up, exp.Floor: _down}[kind]
            return lambda row: _known(function, _number(value(row)))
        if kind is exp.Round:
            self._plain(tree, "this", "decimals")
            value = self.reading(tree.this)
            digits = self.reading(tree.args["decimals"]) if tree.args.get("decimals") else lambda _: 0
            return lambda row: _known(lambda v, n: rounded(v, n, dialect), _number(value(row)), digits(row))
        return None

    def _text(self, tree: Any) -> Reading | None:
        kind = type(tree)
        if kind in (exp.Lower, exp.Upper, exp.Length):
            value = self.reading(tree.this)
            function = {exp.Lower: _lower, exp.Upper: _upper, exp.Length: len}[kind]
            return lambda row: _known(lambda text: function(_string(text)), value(row))
        if kind is exp.Trim:
            return self._trim(tree)
        if kind is exp.Substring:
            self._plain(tree, "this", "start", "length")
            text, start = self._all((tree.this, tree.args["start"]))
            length = self.reading(tree.args["length"]) if tree.args.get("length") else lambda _: 2**31
            return lambda row: _known(_substring, text(row), start(row), length(row))
        if kind is exp.StartsWith:
            text, head = self._all((tree.this, tree.expression))
            return lambda row: _known(lambda a, b: _string(a).startswith(_string(b)), text(row), head(row))
        if kind is exp.DPipe:
            left, right = self._all((tree.this, tree.expression))
            return lambda row: _known(lambda a, b: as_text(a) + as_text(b), left(row), right(row))
        if kind is exp.Concat:
            parts, skips_null = self._all(tree.expressions), self.dialect == "duckdb"
            return lambda row: _joined(_values(parts, row), skips_null=skips_null)
        return None

    def _trim(self, tree: Any) -> Reading:
        self._plain(tree, "this", "expression", "position")
        text = self.reading(tree.this)
        chars = self.reading(tree.expression) if tree.args.get("expression") else lambda _: " "
        strip = {"LEADING": str.lstrip, "TRAILING": str.rstrip}.get(str(tree.args.get("position") or ""), str.strip)
        return lambda row: _known(lambda a, b: strip(_string(a), _string(b)), text(row), chars(row))

    def _choice(self, tree: Any) -> Reading | None:
        kind = type(tree)
        if kind is exp.Case:
            return self._case(tree)
        if kind is exp.If:
            true, false = tree.args["true"], tree.args.get("false") or exp.Null()
            return self._case(exp.Case(ifs=[exp.If(this=tree.this, true=true)], default=false))
        if kind in (exp.Coalesce, exp.Greatest, exp.Least):
            values = self._all((tree.this, *tree.expressions))
            if kind is exp.Coalesce:
                return lambda row: _first_known(values, row)
            sign = 1 if kind is exp.Greatest else -1
            return lambda row: _extreme(_values(values, row), sign)
        if kind is exp.Nullif:
            left, right = self._all((tree.this, tree.expression))
            return lambda row: None if equal(left(row), right(row)) else left(row)
        return self._cast(tree) if kind in (exp.Cast, exp.TryCast) else None

    def _case(self, tree: Any) -> Reading:
        subject = tree.args.get("this")
        branches: list[tuple[Reading, Reading]] = []
        for branch in tree.args["ifs"]:
            test = exp.EQ(this=subject, expression=branch.this) if subject else branch.this
            branches.append((self.reading(test), self.reading(branch.args["true"])))
        other = self.reading(tree.args.get("default") or exp.Null())

        def chosen(row: Row) -> Any:
            for test, value in branches:
                if _truth(test(row)):
                    return value(row)
            return other(row)

        return chosen

    def _cast(self, tree: Any) -> Reading:
        self._plain(tree, "this", "to")
        name, dialect = tree.to.this.name, self.dialect
        # Spark's TIMESTAMP has a zone, and its session is in UTC.
        name = "TIMESTAMP" if name == "TIMESTAMPTZ" and dialect == "spark" else name
        kind = _KINDS.get(name, "")
        if not kind or (kind != "decimal" and tree.to.expressions):
            raise NotSure(f"casts to {tree.to.sql(dialect=dialect)}")
        sizes = [int(size.name) for size in tree.to.expressions]
        size = (sizes[0], sizes[1] if len(sizes) > 1 else 0) if sizes else (18, 3) if dialect == "duckdb" else (10, 0)
        value, try_ = self.reading(tree.this), isinstance(tree, exp.TryCast)
        return lambda row: cast(value(row), kind, size, dialect, try_=try_)


def _known(function: Callable[..., Any], *values: Any) -> Any:
    """The function's value, null if any operand is."""
    return None if None in values else function(*values)


def _values(readings: Iterable[Reading], row: Row) -> list[Any]:
    """What each of the readings gives of a row."""
    return [reading(row) for reading in readings]


def _first_known(values: Iterable[Reading], row: Row) -> Any:
    """The first value of a row that is not null, null if there is none."""
    for value in values:
        found = value(row)
        if found is not None:
            return found
    return None


def _decided(decisive: object, left: Reading, right: Reading, row: Row) -> bool | None:
    """AND, which false decides, or OR, which true decides; what one side has decided, the other is not asked."""
    first = _truth(left(row))
    if first is decisive:
        return first
    return (any_true if decisive else all_true)([first, _truth(right(row))])


def _same(left: Any, right: Any) -> bool:
    """NOT DISTINCT: null is the same as null."""
    return left is right if left is None or right is None else compared(left, right) == 0


def _between(value: Any, low: Any, high: Any) -> bool | None:
    above = _known(lambda a, b: compared(a, b) >= 0, value, low)
    return all_true([above, _known(lambda a, b: compared(a, b) <= 0, value, high)])


def _extreme(values: Sequence[Any], sign: int) -> Any:
    """The greatest (sign 1) or least (sign -1) that is not null."""
    best = None
    for value in values:
        if value is not None and (best is None or compared(value, best) * sign > 0):
            best = value
    return best


def _parsed(number: str) -> int | float | Decimal:
    if "e" in number.lower():
        return float(number)
    return Decimal(number) if "." in number else int(number)


def _interval(tree: exp.Interval) -> timedelta | Months:
    unit = str(tree.args["unit"]).upper().removesuffix("S") if tree.args.get("unit") else ""
    text = tree.this.name if isinstance(tree.this, exp.Literal) else ""
    if re.fullmatch("[0-9]+", text):
        if unit in _INTERVALS:
            return timedelta(seconds=int(text) * _INTERVALS[unit])
        if unit in ("MONTH", "YEAR"):
            return Months(int(text) * (12 if unit == "YEAR" else 1))
    raise NotSure(f"has the interval {tree.sql()}")


def _pattern(like: str, escape: str) -> str:
    """The regular expression of a LIKE pattern."""
    parts, position = [], 0
    while position < len(like):
        char = like[position]
        if char == escape:
            position += 1
            if position == len(like) or like[position] not in ("%", "_", escape):
                raise NotSure(f"escapes nothing in the pattern '{like}'")
            parts.append(re.escape(like[position]))
        else:
            parts.append({"%": ".*", "_": "."}.get(char, re.escape(char)))
        position += 1
    return "".join(parts)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise NotSure(f"takes {value!r} for a text")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not (value is None or isinstance(value, int | float | Decimal)):
        raise NotSure(f"takes {value!r} for a number")
    return value


def _lower(text: str) -> str:
    """Letters that have no single other case are spelled by each engine in its own way."""
    if any(len(char.lower()) > 1 or char == "Σ" for char in text):
        raise NotSure(f"takes the lower case of '{text}'")
    return text.lower()


def _upper(text: str) -> str:
    if any(len(char.upper()) > 1 for char in text):
        raise NotSure(f"takes the upper case of '{text}'")
    return text.upper()


def _up(value: Any) -> Any:
    return -_down(-value)


def _down(value: Any) -> Any:
    if not isinstance(value, float):
        return type(value)(math.floor(value))
    return float(math.floor(value)) if math.isfinite(value) else value


def _substring(value: Any, start: int, length: int) -> str:
    text = _string(value)
    if start < 0 and -start <= len(text):
        start = len(text) + start + 1
    if start < 1 or length < 0:
        raise NotSure(f"takes a substring from {start} of length {length}")
    return text[start - 1 : start - 1 + length]


def _joined(values: Sequence[Any], *, skips_null: bool) -> str | None:
    if not skips_null and None in values:
        return None
    known = [value for value in values if value is not None]
    return "".join(map(as_text, known))

"""SQL's values in plain Python: how two compare, what arithmetic gives, what a cast makes of one.

None is null, Decimal a decimal, float a double; a date compared with an instant is the midnight at which it begins.
Where the engines part ways (a division by 0, a fraction cast to an integer) the dialect decides. What is not
sure in plain Python raises NotSure, and the condition is reported as not proved rather than guessed.
"""

from __future__ import annotations

import calendar
import math
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Any

from tenure.define.dialect import Dialect
from tenure.proofs.oracle.rules import instant

_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*\Z")
_NUMBER = re.compile(r"\s*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?\s*\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?\Z")
_DIGITS = 80
#: Digits of a decimal that it is compared with a text by, on every engine: one of them makes floats of both.
_SURE = 15
#: Types that Python compares with each other as SQL does.
_EXACT = frozenset({int, Decimal})


class NotSure(Exception):
    """A value that plain Python would have to guess; caught by the condition that asks."""


@dataclass(frozen=True)
class Months:
    """An interval of calendar months."""

    count: int


def compared(left: Any, right: Any) -> int:
    """Return -1, 0 or 1 as `left` is below, equal to or above `right`; neither is null."""
    kinds = {type(left), type(right)}
    if kinds <= _EXACT or kinds == {str}:
        return int(left > right) - int(left < right)
    a, b = _alike(left, right)
    if isinstance(a, float):
        # NaN is equal to itself and above all else.
        a, b = (math.isnan(a), 0.0 if math.isnan(a) else a), (math.isnan(b), 0.0 if math.isnan(b) else b)
    return int(a > b) - int(a < b)


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """The two as values of one type, as an engine would cast them."""
    if isinstance(left, str) != isinstance(right, str):
        left, right = (left, _read_as(left, right)) if isinstance(right, str) else (_read_as(right, left), right)
    if isinstance(left, date) and isinstance(right, date):
        return instant(left), instant(right)
    if isinstance(left, float) or isinstance(right, float):
        if _is_number(left) and _is_number(right):
            return float(left), float(right)
    elif (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
        return left, right
    raise NotSure(f"compares {_kind(left)} with {_kind(right)}")


def _read_as(other: Any, text: str) -> Any:
    """A text that is compared with something else is read as one of those."""
    if isinstance(other, bool):
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
    elif isinstance(other, int):
        if _INTEGER.match(text):
            return int(text)
    elif isinstance(other, Decimal):
        number = Decimal(text.strip()) if _NUMBER.match(text) else None
        places = -int(other.as_tuple().exponent)
        if number is not None and len(other.as_tuple().digits) <= _SURE and number == round(number, max(places, 0)):
            return number
    elif isinstance(other, float):
        if _NUMBER.match(text):
            return float(text)
    elif _DAY.match(text) or (isinstance(other, datetime) and _INSTANT.match(text)):
        return datetime.fromisoformat(text)
    raise NotSure(f"compares {_kind(other)} with the text '{text}'")


def equal(left: Any, right: Any) -> bool | None:
    """Return whether the two are equal; null if either is."""
    return None if left is None or right is None else compared(left, right) == 0


def arithmetic(operator: str, left: Any, right: Any, dialect: Dialect) -> Any:
    """Return `left operator right` of +, -, *, /, // or %; null if either is null."""
    if left is None or right is None:
        return None
    if isinstance(left, date) or isinstance(right, date):
        return _moved(operator, left, right)
    if not (_is_number(left) and _is_number(right)) or isinstance(left, bool) or isinstance(right, bool):
        raise _no_sum(operator, left, right)
    if operator == "/":
        return _divided(left, right, dialect)
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
    if operator in ("//", "%"):
        return _whole(operator, left, right, dialect)
    with localcontext() as exact:
        exact.prec = _DIGITS
        return left + right if operator == "+" else left - right if operator == "-" else left * right


def _divided(left: Any, right: Any, dialect: Dialect) -> Any:
    if dialect == "spark":
        if right == 0:
            return None
        kinds = {type(left), type(right)}
        if Decimal in kinds and float not in kinds:
            raise NotSure("divides decimals, which Spark rounds by their precision")
        return float(left) / float(right)
    left, right = float(left), float(right)
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _whole(operator: str, left: Any, right: Any, dialect: Dialect) -> Any:
    if right == 0 and dialect == "spark":
        return None
    if right == 0 or isinstance(left, float) or (operator == "//" and not isinstance(left + right, int)):
        raise NotSure(f"takes {left} {operator} {right}")
    if isinstance(left, int) and isinstance(right, int):
        whole = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return whole if operator == "//" else left - right * whole
    with localcontext() as exact:
        exact.prec = _DIGITS
        return Decimal(left) % Decimal(right)


def _moved(operator: str, left: Any, right: Any) -> Any:
    """An instant moved by an interval, or the days between two dates."""
    if operator == "+" and isinstance(right, date):
        left, right = right, left
    if operator in ("+", "-") and isinstance(left, date):
        if isinstance(right, timedelta):
            return instant(left) + right if operator == "+" else instant(left) - right
        if isinstance(right, Months):
            return _months_later(instant(left), right.count if operator == "+" else -right.count)
    raise _no_sum(operator, left, right)


def _months_later(start: datetime, months: int) -> datetime:
    year, number = divmod(start.year * 12 + start.month - 1 + months, 12)
    return start.replace(year=year, month=number + 1, day=min(start.day, calendar.monthrange(year, number + 1)[1]))


def rounded(value: Any, digits: int, dialect: Dialect) -> Any:
    """Return the number rounded half away from 0 to so many digits behind the point."""
    if value is None or isinstance(value, int):
        return value
    if digits < 0:
        raise NotSure("rounds before the point")
    if isinstance(value, Decimal):
        return _quantized(value, digits)
    if math.isnan(value) or math.isinf(value):
        return value
    if dialect == "spark":
        return float(_quantized(Decimal(repr(value)), digits))
    return float(_quantized(Decimal(value * 10.0**digits), 0)) / 10.0**digits


def _quantized(value: Decimal, digits: int) -> Decimal:
    with localcontext() as exact:
        exact.prec = _DIGITS
        try:
            return value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
        except InvalidOperation as error:
            raise NotSure(f"rounds {value}") from error


def cast(value: Any, kind: str, size: tuple[int, int], dialect: Dialect, *, try_: bool) -> Any:
    """Return the value as 'string', 'integer', 'decimal' (of `size` digits), 'float', 'boolean', 'date', 'timestamp'.

    What can't be cast is null if `try_`, or in Spark; DuckDB would refuse the statement, so it raises NotSure.
    """
    if value is None:
        return None
    found = _CASTS[kind](value, size, dialect)
    if found is None and not try_ and dialect == "duckdb":
        raise NotSure(f"casts {value!r} to {kind}")
    return found


def as_text(value: Any) -> str:
    """Return the value as both engines print it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        text = value.isoformat(" ")
        return text.rstrip("0") if "." in text else text
    if isinstance(value, float):
        if value != 0 and not 1e-3 <= abs(value) < 1e7:
            raise NotSure(f"prints {value}")
        return repr(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str | int | date):
        return str(value)
    raise NotSure(f"prints {_kind(value)}")


def _to_integer(value: Any, _: tuple[int, int], dialect: Dialect) -> int | None:
    if isinstance(value, str):
        if not _INTEGER.match(value) and _NUMBER.match(value):
            raise _no_cast(value, "an integer")
        return int(value) if _INTEGER.match(value) else None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not abs(value) < 2**62:
            raise NotSure(f"casts {value} to an integer")
        return math.trunc(value) if dialect == "spark" else round(value)
    if isinstance(value, Decimal):
        return int(value) if dialect == "spark" else int(_quantized(value, 0))
    raise _no_cast(value, "an integer")


def _to_decimal(value: Any, size: tuple[int, int], dialect: Dialect) -> Decimal | None:
    precision, scale = size
    if isinstance(value, str):
        if not _NUMBER.match(value):
            return None
        value = Decimal(value.strip())
    elif isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return None
        if dialect == "spark":
            value = Decimal(repr(value))
        else:
            value = _quantized(Decimal(value * 10.0**scale), 0).scaleb(-scale)
    elif isinstance(value, int | Decimal):
        value = Decimal(value)
    else:
        raise _no_cast(value, "a decimal")
    found = _quantized(value, scale)
    return found if abs(found) < Decimal(10) ** (precision - scale) else None


def _to_float(value: Any, _: tuple[int, int], __: Dialect) -> float | None:
    if isinstance(value, str):
        return float(value) if _NUMBER.match(value) else None
    if _is_number(value):
        return float(value)
    raise _no_cast(value, "a float")


def _to_boolean(value: Any, _: tuple[int, int], __: Dialect) -> bool:
    if isinstance(value, str):
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise _no_cast(value, "a boolean")
    if _is_number(value):
        return bool(value != 0)
    raise _no_cast(value, "a boolean")


def _to_time(value: Any, kind: str) -> datetime | None:
    if isinstance(value, str):
        if not (_DAY.match(value) or _INSTANT.match(value)):
            raise _no_cast(value, f"a {kind}")
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, date):
        return instant(value)
    raise _no_cast(value, f"a {kind}")


def _to_date(value: Any, _: tuple[int, int], __: Dialect) -> date | None:
    found = _to_time(value, "date")
    return found.date() if found else None


_CASTS: dict[str, Any] = {
    "string": lambda value, _, __: as_text(value),
    "integer": _to_integer,
    "decimal": _to_decimal,
    "float": _to_float,
    "boolean": _to_boolean,
    "date": _to_date,
    "timestamp": lambda value, _, __: _to_time(value, "timestamp"),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal)


def _no_cast(value: Any, kind: str) -> NotSure:
    """The error of a value that engines cast in their own ways: a text is shown, any other value named by its kind."""
    source = f"the text '{value}'" if isinstance(value, str) else _kind(value)
    return NotSure(f"casts {source} to {kind}")


def _no_sum(operator: str, left: Any, right: Any) -> NotSure:
    """The error of operands of which plain Python has no such sum."""
    return NotSure(f"takes {_kind(left)} {operator} {_kind(right)}")


def _kind(value: Any) -> str:
    names = {str: "a text", bool: "a boolean", int: "an integer", float: "a float", Decimal: "a decimal"}
    names |= {date: "a date", datetime: "an instant", timedelta: "an interval", Months: "an interval"}
    return names.get(type(value), type(value).__name__)

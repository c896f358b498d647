"""What becomes what: every kind of raw value and every declared type, and the SQL that makes one of the other.

```
raw value ──► kind_of(its type) ──► CONVERSIONS[kind][declared type] ──► a value, or null: then the row is bad
              text, float, decimal, date, …      how, and the words of docs/conversions.md
```
A typed value becomes what its text would: nothing is cut, widened or guessed, on any engine. Each rule is spelled so
that engines have nothing to decide: a cast that rounds or prints in its own way on one of them is not used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from tenure.define.dialect import Dialect
from tenure.define.source import TYPES, Type
from tenure.sql.dialects import TYPE_NAMES, as_text, literal, op
from tenure.sql.expressions import (
    after,
    all_of,
    at_most,
    before,
    call,
    case,
    cast,
    concatenated,
    differs,
    equal,
    is_in,
    times,
    try_cast,
)

Kind: TypeAlias = Literal[
    "text", "boolean", "whole number", "float", "decimal", "date", "timestamp", "time of day", "several", "bytes"
]

#: How the types of a kind begin, as Arrow writes them, or Spark. Decimals without places are whole numbers.
_BEGINNINGS: Mapping[str, Kind] = MappingProxyType(
    {
        "text": "text",
        "string": "text",
        "bool": "boolean",
        "int": "whole number",
        "uint": "whole number",
        "tinyint": "whole number",
        "smallint": "whole number",
        "bigint": "whole number",
        "halffloat": "float",
        "float": "float",
        "double": "float",
        "decimal": "decimal",
        "date": "date",
        "timestamp": "timestamp",
        "timestamp_ntz": "timestamp",
        "time": "time of day",
        "list": "several",
        "large_list": "several",
        "fixed_size_list": "several",
        "array": "several",
        "struct": "several",
        "map": "several",
        "binary": "bytes",
        "large_binary": "bytes",
        "fixed_size_binary": "bytes",
        # A column of nulls alone is of any type.
        "null": "text",
        "void": "text",
    }
)

#: Beyond this a float of 64 bits is not the whole number that was meant, but one near it.
MOST_EXACT = 2**53

#: Up to so many places a product of a whole number within 2^53 and 0.00…1 is exact on every engine.
_MOST_PLACES_OF_A_PRODUCT = 18

#: A float of 64 bits holds decimals of so many digits.
_DIGITS_OF_A_FLOAT = 15


#: A spelling of null that numbers are compared with.
_PLAIN_NUMBER = re.compile("-?[0-9]{1,38}([.][0-9]{1,18})?")


@dataclass(frozen=True)
class Raw:
    """A raw value that a conversion reads: its SQL, its type as Arrow writes it, and the declared type's name."""

    value: str
    type: str
    becomes: str
    dialect: Dialect


@dataclass(frozen=True)
class Conversion:
    """How one kind becomes one type: the SQL, null where a value is refused, and the words of it."""

    words: str
    sql: Callable[[Raw], str]

    @property
    def refuses_all(self) -> bool:
        """Whether no value of the kind is of the type."""
        return self.sql is _nothing


def kind_of(raw_type: str) -> Kind:
    """Return the kind of a raw column's type, 'text' or as an engine writes it; what is not known is bytes."""
    name = raw_type.partition("<")[0].partition("[")[0].partition("(")[0].rstrip("0123456789")
    kind = _BEGINNINGS.get(name, "bytes")
    return "whole number" if kind == "decimal" and raw_type.replace(" ", "").endswith(",0)") else kind


def _nothing(raw: Raw) -> str:
    return cast("NULL", raw.becomes)


def _cast(raw: Raw) -> str:
    return try_cast(raw.value, raw.becomes)


def _text(raw: Raw) -> str:
    return as_text(raw.value, raw.dialect)


def _instant_in_text(raw: Raw) -> str:
    return as_text(cast(raw.value, "TIMESTAMP"), raw.dialect)


def _is_whole(raw: Raw) -> str:
    """The condition that a float or a decimal is the very whole number that was meant."""
    whole = equal(raw.value, call("FLOOR", raw.value))
    return all_of(whole, at_most(call("ABS", raw.value), MOST_EXACT)) if kind_of(raw.type) == "float" else whole


def _whole(raw: Raw) -> str:
    return case(when=_is_whole(raw), then=_cast(raw))


def _whole_in_text(raw: Raw) -> str:
    digits = as_text(try_cast(raw.value, TYPE_NAMES[raw.dialect]["integer"]), raw.dialect)
    return case(when=_is_whole(raw), then=digits)


def _zero_or_one(raw: Raw) -> str:
    return case(when=is_in(raw.value, ("0", "1")), then=_cast(raw))


def _midnight(raw: Raw) -> str:
    instant = cast(raw.value, "TIMESTAMP")
    return case(when=equal(instant, cast(cast(raw.value, "DATE"), "TIMESTAMP")), then=_cast(raw))


def _nearest_float(raw: Raw) -> str:
    # DuckDB divides the digits as a float, and so is a bit off for long ones; texts are read to the last bit.
    return try_cast(as_text(raw.value, raw.dialect), raw.becomes) if _is_long(raw.type) else _cast(raw)


def _is_long(raw_type: str) -> bool:
    """Whether numbers of a type have more digits than a float."""
    digits = raw_type.partition("(")[2].partition(",")[0]
    return digits.isdigit() and int(digits) > _DIGITS_OF_A_FLOAT


def _nearest_decimal(raw: Raw) -> str:
    """The nearest decimal of a float; engines round casts of 1.005 and of 1e17 differently, so none decides."""
    places = _places(raw.becomes)
    value = cast(raw.value, TYPE_NAMES[raw.dialect]["float"])
    units = call("ROUND", times(value, cast(f"1e{places}", TYPE_NAMES[raw.dialect]["float"])))
    unit = cast(f"'{1 / 10**places:.{places}f}'", f"DECIMAL({places + 1}, {places})")
    whole_units = cast(cast(units, "BIGINT"), "DECIMAL(18, 0)")
    fits = all_of(op("is_finite", raw.dialect, value), at_most(call("ABS", units), MOST_EXACT))
    made = times(whole_units, unit) if places <= _MOST_PLACES_OF_A_PRODUCT else _behind_the_point(units, places, raw)
    return case(when=fits, then=try_cast(made, raw.becomes))


def _behind_the_point(units: str, places: int, raw: Raw) -> str:
    """Units of the last of many places as the text of a number below 1: Spark rounds a product with so small a unit."""
    whole_units = cast(units, "BIGINT")
    digits = call("LPAD", as_text(call("ABS", whole_units), raw.dialect), places, "'0'")
    sign = case(when=before(whole_units, 0), then="'-0.'", otherwise="'0.'")
    return concatenated([sign, digits])


def _places(type_name: str) -> int:
    """The digits behind the point of an engine's decimals."""
    return int(type_name.rstrip(")").rpartition(",")[2])


def is_rounded(raw: Raw, typed: str) -> str:
    """Return the condition that a number is not quite the decimal that it became; '' where it always is."""
    kind = kind_of(raw.type)
    if kind == "decimal" and _places(raw.type) > _places(raw.becomes):
        # Compared in the type that it came in: a type that holds both may have more than 38 digits.
        return differs(raw.value, try_cast(typed, f"DECIMAL({raw.type.partition('(')[2]}"))
    # A float of so many places is not quite that number.
    return is_off(raw.value, typed, f"1e-{_places(raw.becomes) + 3}", raw.dialect) if kind == "float" else ""


def is_off(value: str, typed: str, least: str, dialect: Dialect) -> str:
    """Return the condition that a number lies so far off a decimal, and further than the last bits of a float tell."""
    double = TYPE_NAMES[dialect]["float"]
    value = try_cast(value, double)
    distance = call("ABS", f"{value} - {cast(typed, double)}")
    bits = times(call("ABS", value), cast("'1e-15'", double))
    return after(distance, call("GREATEST", cast(f"'{least}'", double), bits))


_REFUSED = Conversion("refused", _nothing)
_SAME = Conversion("the same", _cast)
_DIGITS = Conversion("its digits", _text)
_ONLY_WHOLE = Conversion("if it is whole", _whole)
_ONLY_EXACT = Conversion("if it is whole and within 2^53", _whole)
_EITHER = Conversion("0 is false, 1 is true; others refused", _zero_or_one)


def _of(**given: Conversion) -> Mapping[str, Conversion]:
    """The row of a kind: what is not given is refused."""
    return MappingProxyType({type_: given.get(type_, _REFUSED) for type_ in TYPES})


#: Kind → declared type → how. Text is not here: it is read by patterns, in `tables/typed_values.py`.
CONVERSIONS: Mapping[Kind, Mapping[str, Conversion]] = MappingProxyType(
    {
        "boolean": _of(string=Conversion("true or false", _text), boolean=_SAME),
        "whole number": _of(
            string=_DIGITS,
            integer=Conversion("the same, if it has 64 bits", _cast),
            decimal=Conversion("the same, if it has so many digits", _cast),
            float=Conversion("the nearest", _nearest_float),
            boolean=_EITHER,
        ),
        "float": _of(
            string=Conversion("its digits, if it is whole and within 2^53", _whole_in_text),
            integer=_ONLY_EXACT,
            decimal=Conversion("the nearest, if it is within 2^53 units of the last place", _nearest_decimal),
            float=Conversion("the same; NaN and infinite refused", _cast),
            boolean=_EITHER,
        ),
        "decimal": _of(
            string=Conversion("its digits, if it is whole", _whole_in_text),
            integer=_ONLY_WHOLE,
            decimal=Conversion("rounded half away from 0, and counted", _cast),
            float=Conversion("the nearest", _nearest_float),
            boolean=_EITHER,
        ),
        "date": _of(
            string=Conversion("as 2024-02-29", _text),
            date=_SAME,
            timestamp=Conversion("its midnight", _cast),
        ),
        "timestamp": _of(
            string=Conversion("as 2024-02-29 10:00:00[.5], in UTC", _instant_in_text),
            date=Conversion("if it is a midnight", _midnight),
            timestamp=Conversion("the same, in UTC; nanoseconds cut", _cast),
        ),
        "time of day": _of(string=Conversion("as 18:05:00[.5]", _text)),
        "several": _of(),
        "bytes": _of(),
    }
)

#: Kind → the types that are of it, in words.
_MEMBERS: Mapping[Kind, str] = MappingProxyType(
    {
        "boolean": "booleans of Parquet and databases",
        "whole number": "of 8 to 64 bits, with or without a sign; decimals without places",
        "float": "of 16, 32 and 64 bits; numbers of a spreadsheet",
        "decimal": "with places; of up to 38 digits",
        "date": "of 32 and 64 bits",
        "timestamp": "in seconds to nanoseconds, with or without a zone",
        "time of day": "of any unit",
        "several": "lists, structs, maps",
        "bytes": "binary columns, and every type that is not in this table",
    }
)


def converted(raw: Raw, declared: Type) -> str:
    """Return the SQL of a typed value as the declared type, null where it is refused."""
    return CONVERSIONS[kind_of(raw.type)][declared].sql(raw)


def null_of(value: str, raw_type: str, spelling: str, dialect: Dialect) -> str:
    """Return the condition that a typed value is a spelling of null; '' where no value of its type is written so."""
    kind = kind_of(raw_type)
    if kind in ("whole number", "float", "decimal"):
        if kind == "float" and spelling.lower() == "nan":
            return call("isnan", value)
        return equal(value, spelling) if _PLAIN_NUMBER.fullmatch(spelling) else ""
    instant = cast(value, "TIMESTAMP") if kind == "timestamp" else value
    return equal(as_text(instant, dialect), literal(spelling, dialect))


def conversions_reference() -> str:
    """Return docs/conversions.md: every kind by every declared type."""
    lines = [
        "# What becomes what",
        "",
        "A typed value, as in Parquet, a database or a spreadsheet, becomes what its text would: nothing is cut,",
        "widened or guessed. Each cell is Tenure's own SQL, tested on DuckDB and on Spark with the same values.",
        "A value that is refused is a bad row: it refuses its source, or is set aside where `quarantine=` allows it.",
        "",
        "How text becomes a value, be it of CSV, JSON lines or a text column, stands in",
        "[intake](intake.md#how-text-becomes-a-value).",
        "",
        "This page is written from `tenure/tables/conversions.py`; a test compares them.",
        "",
        _row("kind", "types", *(f"`{type_}`" for type_ in TYPES)),
        _row(*["---"] * (2 + len(TYPES))),
    ]
    for kind, members in _MEMBERS.items():
        lines.append(_row(kind, members, *(CONVERSIONS[kind][type_].words for type_ in TYPES)))
    return "\n".join([*lines, "", *_NOTES]) + "\n"


_NOTES = (
    "- A `decimal` has the digits and places that its column says (`precision=`, `scale=`), 18 and 2 if it says none.",
    "  More places are rounded, half away from 0, and counted; a value with more digits before the point is refused.",
    "- A whole number under a `date` or `timestamp` with `format=` is read by its digits: 20240229 by `%Y%m%d`.",
    "- `null=` of a column is compared with a typed value too: `null=['9999']`, `['NaN']`, `['1900-01-01']`.",
    "- A column of nulls alone is of any type.",
    "- A UUID is its text; so is a decimal of more than 38 digits, and a duration as its number with its unit, `90s`.",
    "- Parquet files with nanoseconds, UUIDs, times of day, floats of 16 bits, durations or decimals of more than 38",
    "  digits are landed in the lake, in `landing/<source>-<name>/`, as Parquet that every engine reads; nanoseconds",
    "  are cut, never rounded up. While the files' contents stay, they are not read again.",
    "- An integer key is plain: see [intake](intake.md#how-text-becomes-a-value).",
)


def _row(*cells: str) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"

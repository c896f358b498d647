"""Typed values: what one raw value is of its column's type, and why it is none: text by patterns, the rest by its kind.

```
'1.234,50 €' ──► came: trimmed, null where a spelling of null ──► typed: 1234.50, or null: then the row has a reason
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.define.source import Column as SourceColumn
from tenure.define.source import Source
from tenure.sql.dialects import as_text, full_match, literal, op, parsed_time, quoted, type_name
from tenure.sql.expressions import (
    all_of,
    any_of,
    call,
    case,
    cases,
    cast,
    coalesce,
    concatenated,
    either,
    grouped,
    is_in,
    is_not_null,
    is_null,
    like,
    negated,
    null_if,
    text_literal,
    try_cast,
)
from tenure.tables.conversions import Raw, converted, is_off, is_rounded, kind_of, null_of
from tenure.tables.finish import finite_or_null, without_sign_of_zero
from tenure.tables.zones import instant_of_local

_PLAIN_NUMBER = "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)"
_NUMBER = f"{_PLAIN_NUMBER}([eE][+-]?[0-9]+)?"

#: A number with an exponent, of so few digits that nobody waits for its zeros.
_WITH_EXPONENT = f"{_PLAIN_NUMBER}[eE][+-]?[0-9]{{1,4}}"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_INSTANT = _DAY + "([ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?)?"

#: A key as a number is written one way alone: 007 and 7 may be two customers.
_PLAIN_WHOLE = "-?(0|[1-9][0-9]*)([.]0*)?"

#: What such a key is called.
PLAIN_INTEGER = "plain integer"

#: What a text is called that a column of floats or decimals is declared as.
WHOLE_NUMBER = "whole number"

_TRUE, _FALSE = ("'true'", "'t'", "'yes'", "'y'", "'1'"), ("'false'", "'f'", "'no'", "'n'", "'0'")


def _text(source: Source, column: SourceColumn, dialect: Dialect) -> str:
    """The raw text, trimmed, with the spellings of null turned to null."""
    nulls = dict.fromkeys(["", *(spelling for raw in source.raws.values() for spelling in raw.null), *column.null])
    trimmed = op("trimmed", dialect, quoted(column.raw_name, dialect))
    if column.type == "string" and _is_key(source, column):
        trimmed = op("composed", dialect, trimmed)
    for spelling in nulls:
        trimmed = null_if(trimmed, literal(spelling, dialect))
    return trimmed


@dataclass(frozen=True)
class Cell:
    """A column of a source: its raw type, and the SQL of a value as it came and as the column's type."""

    column: SourceColumn
    raw_type: str
    came: str
    typed: str

    @property
    def is_text(self) -> bool:
        """Whether a value is read by patterns."""
        return _is_read_as_text(self.column, self.raw_type)


def cells_of(source: Source, dialect: Dialect, raw_types: Mapping[str, str]) -> list[Cell]:
    """Return the columns of a source, in SQL over its raw rows."""
    found = []
    for column in source.columns:
        cell = Cell(column, raw_types[column.raw_name], _came(source, column, dialect, raw_types), "")
        found.append(replace(cell, typed=typed_of(source, cell, cell.came, dialect)))
    return found


def typed_value(source: Source, column: SourceColumn, dialect: Dialect, raw_types: Mapping[str, str]) -> str:
    """Return a raw column as its type, null where it is not of it."""
    cell = Cell(column, raw_types[column.raw_name], _came(source, column, dialect, raw_types), "")
    return typed_of(source, cell, cell.came, dialect)


def typed_of(source: Source, cell: Cell, came: str, dialect: Dialect) -> str:
    """Return a value that came as its column's type, null where it is not of it."""
    column, becomes = cell.column, type_name(cell.column.value_type, dialect)
    if cell.is_text:
        return _parsed(column, came, becomes, dialect, source)
    if source.timezone and column.type == kind_of(cell.raw_type) == "timestamp":
        local = instant_of_local(cast(came, "TIMESTAMP"), source.timezone, dialect)
        came = case(when=op("is_local", dialect, came), then=local, otherwise=cast(came, "TIMESTAMP"))
    return _number(converted(Raw(came, cell.raw_type, becomes, dialect), column.type), column.type, dialect)


def _is_read_as_text(column: SourceColumn, raw_type: str) -> bool:
    """Whether a value is read by patterns: a text is, and so are the digits of a day that a format describes."""
    kind = kind_of(raw_type)
    return kind == "text" or (kind == "whole number" and bool(column.formats))


def _typed_already(column: SourceColumn, raw_type: str, dialect: Dialect) -> str:
    """A raw value that is no text, with the column's own spellings of null turned to null."""
    raw = quoted(column.raw_name, dialect)
    nulls = [spelled for text in column.null if (spelled := null_of(raw, raw_type, text, dialect))]
    return case(when=negated(any_of(*nulls)), then=raw) if nulls else raw


def _came(source: Source, column: SourceColumn, dialect: Dialect, raw_types: Mapping[str, str]) -> str:
    """A raw value as it came, null where it is a spelling of null."""
    raw_type = raw_types[column.raw_name]
    if _is_read_as_text(column, raw_type):
        return _text(source, column, dialect)
    return _typed_already(column, raw_type, dialect)


def _is_whole_key(source: Source, column: SourceColumn, raw_type: str) -> bool:
    """Whether a column is a key of whole numbers: an integer, or a text that the data have as a float."""
    is_number = column.type == "integer" or (column.type == "string" and kind_of(raw_type) == "float")
    return is_number and _is_key(source, column)


def _is_key(source: Source, column: SourceColumn) -> bool:
    return column.role == "key" or column.name in source.keys


def _number(cast: str, type_: str, dialect: Dialect) -> str:
    """A cast to a number: of floats only those that are numbers, and 0 without a sign."""
    return finite_or_null(without_sign_of_zero(cast), dialect) if type_ == "float" else cast


def _parsed(column: SourceColumn, text: str, becomes: str, dialect: Dialect, source: Source) -> str:
    if column.type == "string":
        return text
    if column.type == "boolean":
        lower = call("LOWER", text)
        return cases([(is_in(lower, _TRUE), "TRUE"), (is_in(lower, _FALSE), "FALSE")])
    if column.formats:
        asked_by = f"column '{column.name}' of source '{source.name}'"
        parsed = [parsed_time(text, one, becomes, dialect, asked_by=asked_by) for one in column.formats]
        time = parsed[0] if len(parsed) == 1 else coalesce(*parsed)
        is_local = source.timezone and column.type == "timestamp"
        return instant_of_local(grouped(time), source.timezone, dialect) if is_local else time
    if column.has_number_format:
        return _formatted_number(column, text, becomes, dialect)
    if column.type == "decimal":
        plain = try_cast(text, becomes), try_cast(op("without_exponent", dialect, text), becomes)
        patterns = (full_match(text, pattern, dialect) for pattern in (_PLAIN_NUMBER, _WITH_EXPONENT))
        return cases(list(zip(patterns, plain, strict=True)))
    whole = _PLAIN_WHOLE if _is_key(source, column) else "[+-]?[0-9]+([.]0*)?"
    pattern = {"integer": whole, "date": _DAY, "timestamp": _INSTANT}.get(column.type, _NUMBER)
    value = op("before_point", dialect, text) if column.type == "integer" else text
    if column.type == "timestamp":
        typed = op("instant", dialect, value)
        if source.timezone:
            has_zone = full_match(value, ".*(Z|[+-][0-9]{2}:[0-9]{2})", dialect)
            typed = case(when=has_zone, then=typed, otherwise=instant_of_local(typed, source.timezone, dialect))
    else:
        typed = _number(try_cast(value, becomes), column.type, dialect)
    return case(when=full_match(text, pattern, dialect), then=typed)


def rounded(cells: Sequence[Cell], dialect: Dialect) -> str:
    """Return how many of a row's decimals have digits other than 0 behind the places that are kept."""
    conditions = []
    for cell in cells:
        if cell.column.type != "decimal":
            continue
        if cell.is_text:
            conditions.append(_is_rounded_text(cell, dialect))
        else:
            raw = Raw(cell.came, cell.raw_type, type_name(cell.column.value_type, dialect), dialect)
            conditions += filter(None, [is_rounded(raw, cell.typed)])
    return " + ".join(case(when=condition, then=1, otherwise=0) for condition in conditions) or "0"


def _is_rounded_text(cell: Cell, dialect: Dialect) -> str:
    """Whether a text has digits other than 0 behind the places that are kept; one with an exponent is compared."""
    mark, places = cell.column.decimal or ".", cell.column.scale
    fine = f"[{mark}][0-9]{{{places}}}[0-9]*[1-9]"
    if cell.column.has_number_format:
        return op("full_match", dialect, cell.came, f".*{fine}.*")
    # One pattern for both, since nearly all texts are neither.
    may_be = op("full_match", dialect, cell.came, f"[^eE]*{fine}[^eE]*|.*[eE].*")
    by_value = case(
        when=like(call("LOWER", cell.came), "%e%"), then=is_off(cell.came, cell.typed, "0", dialect), otherwise="TRUE"
    )
    return case(when=may_be, then=by_value)


def _formatted_number(column: SourceColumn, text: str, becomes: str, dialect: Dialect) -> str:
    """A number as a bank writes it: '1.234,50 €', '(1.234,50)', '1.234,50-'; null where the text is none.

    A pattern decides what is one; then nothing but digits and the point are left, behind the sign.
    """
    point, thousands = f"[{column.decimal or '.'}]", column.thousands
    groups = f"[0-9]{{1,3}}([{thousands}][0-9]{{3}})+|" if thousands else ""
    fraction = f"({point}0*)?" if column.type == "integer" else f"({point}[0-9]*)?"
    number = f"(({groups}[0-9]+){fraction}{'' if column.type == 'integer' else f'|{point}[0-9]+'})"
    sign = "".join(f"[{letter}]" for letter in column.currency)
    forms = []
    for before_it, after_it in (("", ""), *(((f"{sign} ?", ""), ("", f" ?{sign}")) if sign else ())):
        forms += [
            f"[+-]?{before_it}{number}{after_it}",
            f"{before_it}[+-]?{number}{after_it}",
            f"{before_it}{number}-{after_it}",
            f"[(]{before_it}{number}{after_it}[)]",
        ]
    pattern = "|".join(f"({form})" for form in forms)
    plain = text
    for mark in filter(None, (column.currency, "(", ")", "+", "-", " ", thousands)):
        plain = call("REPLACE", plain, literal(mark, dialect), "''")
    if column.decimal == ",":
        plain = call("REPLACE", plain, "','", "'.'")
    if column.type == "integer":
        plain = op("before_point", dialect, plain)
    is_negative = either(like(text, "%-%"), like(text, "%(%"))
    signed = case(when=is_negative, then=concatenated(["'-'", plain]), otherwise=plain)
    typed = _number(try_cast(signed, becomes), column.type, dialect)
    return case(when=full_match(text, pattern, dialect), then=typed)


def reason_of(project: Project, source: Source, cells: Sequence[Cell], dialect: Dialect) -> str:
    """Return why a row is bad, as text: 'amount: not a decimal: x'; null where nothing is wrong with it."""
    times = {source.event_time, source.known_time} - {""}
    needed = {*source.keys, *project.entity.keys, *times}
    reasons: list[tuple[str, str]] = []
    for cell in cells:
        column = cell.column
        if column.required or column.name in needed:
            reasons.append((is_null(cell.came), text_literal(f"{column.name}: missing")))
        if column.type != "string" or not cell.is_text:
            kind = WHOLE_NUMBER if column.type == "string" else column.value_type.words
            if _is_whole_key(source, column, cell.raw_type):
                kind = PLAIN_INTEGER
            wrong = text_literal(f"{column.name}: not {article(kind)} {kind}: ")
            told = concatenated([wrong, as_text(cell.came, dialect)])
            reasons.append((all_of(is_not_null(cell.came), is_null(cell.typed)), told))
    return cases(reasons, between="\n        ") if reasons else as_text("NULL", dialect)


def article(word: str) -> str:
    """Return 'a' or 'an', whichever stands before a word."""
    return "an" if word[0] in "aeiou" else "a"

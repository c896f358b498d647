"""Cures: what to write in a definition so that values which are refused are read, where one spelling explains them.

column 'amount': not a decimal: '1.234,50' (312 rows)  ──►  Column('amount', decimal=',', thousands='.')
column 'paid_on': not a date: '00/00/0000' (9 rows)    ──►  Column('paid_on', null=['00/00/0000'])
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from tenure.define.personal import personal_columns
from tenure.define.source import Column, Source
from tenure.define.value_type import MOST_DIGITS
from tenure.intake.formats import NULLS, Format, format_of
from tenure.tables.typed_values import PLAIN_INTEGER, WHOLE_NUMBER

#: A spelling that is so great a share of what fails is null, and no damage.
_DOMINATES = 0.5

#: So many values tell how a column is written.
_ENOUGH = 2_000

#: A number with a sign before or behind it, or in parentheses.
_NUMBER = re.compile(r"[(+-]?0*(?P<whole>[0-9]+)([.][0-9]*)?[)-]?")

_SET_ASIDE = "Fix the data, or let such rows be set aside: Source('{}', quarantine=0.01, …)."


def failed_values(reasons: Mapping[str, int], column: str) -> Counter[str]:
    """Return the values of a column that are not of its type, with how many rows have each."""
    found: Counter[str] = Counter()
    for reason, rows in reasons.items():
        name, _, problem = reason.partition(": ")
        _, colon, value = problem.partition(": ")
        if name == column and colon:
            found[value] += rows
    return found


def cure(source: Source, reasons: Mapping[str, int], column: str, problem: str) -> str:
    """Return what to do about values of a column that are refused, as a sentence; setting them aside comes last."""
    declared = source.column(column)
    if WHOLE_NUMBER in problem:
        return f"Declare it as what it is: Column('{column}', type='float'), or 'decimal'."
    if PLAIN_INTEGER in problem:
        return _of_key(declared)
    spelled = spelling(declared, failed_values(reasons, column), personal=column in personal_columns(source))
    set_aside = _SET_ASIDE.format(source.name)
    return f"Say how it is written: {spelled}. {set_aside}" if spelled else set_aside


def spelling(column: Column, failed: Counter[str], *, personal: bool) -> str:
    """Return the definition with which a column's failed texts are read, '' if no one spelling explains them."""
    if not failed:
        return ""
    if column.type == "decimal" and (before_point := _most_digits(column, failed)):
        return _with_room(column, before_point)
    nulls, rest = _nulls(failed, personal=personal)
    found = format_of(column.name, _some(rest)) if rest else Format()
    arguments = {**_format_arguments(column, found), **({"null": [*column.null, *nulls]} if nulls else {})}
    if rest and not _explains(column, found):
        # Only nulls explain some of them, if they are most of them.
        arguments = {"null": [*column.null, *nulls]} if nulls else {}
    if not arguments:
        return ""
    written = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"Column('{column.name}', {written})"


def _most_digits(column: Column, failed: Counter[str]) -> int:
    """The most digits before the point of failed values, all of which are numbers as they stand; 0 if one is none."""
    most = 0
    for text in failed:
        plain = text
        for mark in filter(None, (column.currency, column.thousands, " ")):
            plain = plain.replace(mark, "")
        number = _NUMBER.fullmatch(plain.replace(",", ".") if column.decimal == "," else plain)
        if not number:
            return 0
        most = max(most, len(number["whole"]))
    return most


def _with_room(column: Column, before_point: int) -> str:
    """A column with room for so many digits before the point, and those behind it that it has."""
    scale = column.value_type.scale
    # One more, since a value may be rounded up.
    precision = before_point + scale + (before_point + scale < MOST_DIGITS)
    if precision > MOST_DIGITS:
        return f"Column('{column.name}', type='float')"
    return f"Column('{column.name}', type='decimal', precision={precision}, scale={scale})"


def _of_key(column: Column) -> str:
    if column.type == "string":
        return (
            "A float is some whole number for sure only up to 2^53: have the key written as text, or as whole numbers "
            "of 64 bits, where the file is made."
        )
    return (
        "With leading zeros, a sign, or as a float beyond 2^53 it may be another customer's: declare the key as what "
        f"it is, Column('{column.name}', type='string', role='key'), in every source that has it."
    )


def _nulls(failed: Counter[str], *, personal: bool) -> tuple[list[str], Counter[str]]:
    """The spellings of null among what failed, and the other values."""
    found = set(format_of("", failed).null)
    texts = Counter({text: rows for text, rows in failed.items() if text not in found})
    # Days that are none, such as 00/00/0000, are known by format_of only among days.
    for text in [*texts]:
        if set(text) <= set("0/.-: T") or text.lower() in NULLS:
            found.add(text)
            del texts[text]
    most = texts.most_common(1)
    if most and not personal and len(texts) > 1 and most[0][1] >= _DOMINATES * failed.total():
        alone = format_of("", [most[0][0]])
        if alone.type == "string":
            found.add(most[0][0])
            del texts[most[0][0]]
    if len(texts) == 1 and not personal and format_of("", texts).type == "string":
        found.update(texts)
        texts.clear()
    return sorted(found), texts


def _some(failed: Counter[str]) -> list[str]:
    """The values, each as often as it came, but no more than tell how they are written."""
    texts: list[str] = []
    for text, rows in failed.most_common(_ENOUGH):
        texts += [text] * min(rows, 20)
    return texts


def _explains(column: Column, found: Format) -> bool:
    """Whether a format makes values of the column's type."""
    if column.type in ("date", "timestamp"):
        return found.is_time and bool(found.formats)
    if column.type in ("integer", "decimal", "float"):
        return found.type in ("integer", "decimal", "float") and bool(
            found.decimal or found.thousands or found.currency or found.type != column.type
        )
    return False


def _format_arguments(column: Column, found: Format) -> dict[str, object]:
    if column.type in ("date", "timestamp") and found.formats:
        plain = ("%Y-%m-%d",) if column.type == "date" and not column.formats else ()
        formats = [*(column.formats or plain), *found.formats]
        return {"type": found.type, "format": formats}
    if column.type in ("integer", "decimal", "float") and found.type in ("integer", "decimal", "float"):
        marks = {"decimal": found.decimal, "thousands": found.thousands, "currency": found.currency}
        given: dict[str, object] = {name: mark for name, mark in marks.items() if mark}
        if column.type == "integer" and found.type != "integer":
            given = {"type": found.type, **given}
        return given
    return {}

"""Cells of a frame: as numbers for a matrix, and as words for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.model.select import within_range

Floats: TypeAlias = NDArray[np.float64]
Kind: TypeAlias = Literal["number", "boolean", "category"]

MISSING = "none on record"
TAKEN_AS_MISSING = "taken as missing"
_CURRENCY_LETTERS = 3
#: From here on a number is written with an exponent.
_LONG = 1e15
_NUMBERS = ("empty", "integer", "floating", "mixed-integer-float", "decimal")


def kind_of(column: pd.Series) -> Kind:
    """Return how a column's values read; a column of nulls alone is a number."""
    if pd.api.types.is_bool_dtype(column.dtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return "number"
    found = pd.api.types.infer_dtype(column, skipna=True)
    if found == "boolean":
        return "boolean"
    return "number" if found in _NUMBERS else "category"


def numbers(frame: pd.DataFrame, names: Sequence[str]) -> Floats:
    """Return the columns as floats, shape (rows, names); true becomes 1, null and what is no number NaN."""
    matrix = np.empty((len(frame), len(names)))
    for at, name in enumerate(names):
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column.dtype):
            matrix[:, at] = column.to_numpy(dtype=float, na_value=np.nan)
        else:
            matrix[:, at] = column.astype("object").where(column.notna(), np.nan).astype(float)
    return within_range(matrix)


class Wording:
    """How the values of one column are said: `value_text(cell)`, and `typical`, the middle value as text.

    The middle is the median of numbers, the commoner of yes and no, the commonest category (the first in
    the alphabet of equals), and '' where the column holds nothing.
    """

    def __init__(self, column: pd.Series, unit: str = "") -> None:
        self.kind = kind_of(column)
        self.unit = unit
        present = column[column.notna()]
        if self.kind == "number":
            present = present[~np.isnan(within_range(present.to_numpy(dtype=float)))]
        self._whole = self.kind == "number" and _is_whole(present, unit)
        self.typical = self.value_text(self._middle(present)) if len(present) else ""

    def value_text(self, cell: object) -> str:
        """Return the cell in words: '120.00 USD', '3', 'yes', 'North', or 'none on record' for a null."""
        if pd.isna(cell):
            return MISSING
        if self.kind == "boolean":
            return "yes" if cell else "no"
        if self.kind == "category":
            return str(cell)
        number = float(cell)  # type: ignore[arg-type]
        if np.isnan(within_range(np.array(number))):
            return f"{f'{number:.3g} {self.unit}'.strip()}, {TAKEN_AS_MISSING}"
        text = _number_text(number, whole=self._whole)
        unit = self.unit.removesuffix("s") if text == "1" and self.unit in ("days", "years") else self.unit
        return f"{text} {unit}".strip()

    def _middle(self, present: pd.Series) -> object:
        if self.kind == "category":
            counts = present.astype(str).value_counts()
            return min(counts.index[counts == counts.max()])
        middle = float(np.median(present.astype(float)))
        return middle >= 0.5 if self.kind == "boolean" else middle


def reads_alike(one: str, other: str) -> bool:
    """Return whether two texts of values are the same to a reader: '4 days' and '4.0 days', 'South' and 'south'."""
    return _as_read(one) == _as_read(other)


def _as_read(text: str) -> tuple[str, ...]:
    words = text.casefold().split()
    try:
        number = float(words[0].replace(",", ""))
    except (IndexError, ValueError):
        return tuple(words)
    # '1 day' and '1.0 days' have one unit.
    return (str(number), *(word.removesuffix("s") for word in words[1:]))


def _is_whole(present: pd.Series, unit: str) -> bool:
    """Return whether to print without decimals; a currency keeps its cents unless stored as integers."""
    if pd.api.types.is_integer_dtype(present.dtype):
        return True
    currency = len(unit) == _CURRENCY_LETTERS and unit.isupper()
    values = present.astype(float)
    return not currency and bool((values == values.round()).all())


def _number_text(value: float, *, whole: bool) -> str:
    """Return the number with as many decimals as it needs, thousands apart; never '-0'. '1e+20' where it is long."""
    if abs(value) >= _LONG:
        return f"{value:.6g}"
    if whole and value == round(value):
        decimals = 0
    elif whole:
        decimals = 1
    else:
        decimals = 4 if 0 < abs(value) < 0.01 else 2
    return f"{round(value, decimals) + 0.0:,.{decimals}f}"

"""Two builds of one table, compared cell by cell: engine against engine, or run against run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tenure.faults.redact import shown, shown_row

#: Engines may round the last bits of a DOUBLE differently; everything else must be equal.
RELATIVE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Comparison:
    """How many cells of a table were compared, how many differ, and the first that does."""

    table: str
    rows: int
    columns: int
    different_cells: int
    example: str = ""

    @property
    def equal(self) -> bool:
        """Whether every cell is equal."""
        return self.different_cells == 0


def compare(
    table: str, left: pa.Table, right: pa.Table, keys: Sequence[str], personal: Collection[str] = ()
) -> Comparison:
    """Return the comparison of two tables after sorting both by `keys`.

    DOUBLE cells are equal within a relative 1e-9, null equals null, NaN equals NaN, all else is equal exactly.
    Other columns, types that can't be compared or another number of rows count as one difference, with the
    example naming which. It shows values of the columns in `personal` by their shape alone.
    """
    odd = _odd_shape(left, right)
    try:
        right = right if odd else right.cast(left.schema)
    except pa.ArrowException:
        odd = _odd_types(left.schema, right.schema)
    if odd:
        return Comparison(table, left.num_rows, left.num_columns, 1, odd)
    order = [(key, "ascending") for key in keys]
    left, right = left.sort_by(order), right.sort_by(order)
    different, example = 0, ""
    for name in left.column_names:
        unequal = _unequal(left[name].combine_chunks(), right[name].combine_chunks())
        count = pc.sum(unequal).as_py() or 0
        if count and not example:
            row = pc.index(unequal, True).as_py()
            place = shown_row([(key, left[key][row]) for key in keys], personal)
            mine = shown(left[name][row], personal=name in personal)
            other = shown(right[name][row], personal=name in personal)
            example = f"{name} at {place}: {mine} against {other}"
        different += count
    return Comparison(table, left.num_rows, left.num_columns, different, example)


def _odd_shape(left: pa.Table, right: pa.Table) -> str:
    """The columns or the number of rows in which two tables differ, '' if in neither."""
    if left.column_names != right.column_names:
        odd = sorted(set(left.column_names) ^ set(right.column_names))
        return f"columns differ: {', '.join(odd) or 'order'}"
    if left.num_rows != right.num_rows:
        return f"{left.num_rows} rows against {right.num_rows}"
    return ""


def _odd_types(left: pa.Schema, right: pa.Schema) -> str:
    """The fields of equal names whose types differ."""
    odd = []
    for mine, other in zip(left, right, strict=True):
        if mine != other:
            odd.append(f"{mine.name} {mine.type} against {other.type}")
    return f"types differ: {', '.join(odd)}"


def _unequal(left: pa.Array, right: pa.Array) -> pa.Array:
    """True where the cells differ; never null."""
    equal = pc.equal(left, right)
    if pa.types.is_floating(left.type):
        size = pc.max_element_wise(pc.abs(left), pc.abs(right))
        near = pc.less_equal(pc.abs(pc.subtract(left, right)), pc.multiply(size, RELATIVE_TOLERANCE))
        # Of an infinity, any distance is a small share.
        near = pc.and_(near, pc.is_finite(size))
        equal = pc.or_(pc.or_(equal, near), pc.and_(pc.is_nan(left), pc.is_nan(right)))
    both_null = pc.and_(pc.is_null(left), pc.is_null(right))
    return pc.invert(pc.or_(pc.fill_null(equal, False), both_null))

"""Same lake: two lakes compared table by table, cell for cell; exits 1 and names what differs.

    python benchmarks/same_lake.py A/lake B/lake

Two commits that should mean the same each write a demo bank with the same seed; this tells whether they did. Tables,
columns, their types and their rows must be equal, whatever order rows and columns lie in. Doubles are equal by their
bits, so 0.0 is not -0.0, and NaN is not null. Columns that hold a run's number or the clock are left out (`LEFT_OUT`);
lists of tiles are bags (`BAGS`), since an engine's threads put their values in as they meet them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

#: Table → its columns that no two runs share: run ids and wall-clock times.
LEFT_OUT = {
    "runs": ("run_id", "started_at", "seconds"),
    "models": ("created_at",),
    "importances": ("explained_at",),
}

#: Ends of the names of columns of tiles/ whose lists have no order of their own.
BAGS = ("__list", "__set")


@dataclass(frozen=True)
class Comparison:
    """One table of both lakes: its rows and compared columns in A, and each difference as a sentence."""

    table: str
    rows: int
    columns: int
    differences: tuple[str, ...]


def main() -> None:
    """Compare and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", type=Path, help="a lake's folder")
    parser.add_argument("b", type=Path, help="the other lake's folder")
    arguments = parser.parse_args()
    for lake in (arguments.a, arguments.b):
        if not tables_of(lake):
            sys.exit(f"'{lake}' holds no Delta table; give the folder of a lake, such as demo-bank/lake.")
    unequal = 0
    for found in compare(arguments.a, arguments.b):
        unequal += bool(found.differences)
        verdict = "differs" if found.differences else "equal"
        print(f"{found.table:<26} {found.rows:>12,} rows {found.columns:>5} columns  {verdict}")
        for difference in found.differences:
            print(f"    {difference}")
    left_out = [f"{table}.{column}" for table, columns in LEFT_OUT.items() for column in columns]
    print("left out:", ", ".join(left_out))
    print("the lakes are equal" if not unequal else f"the lakes differ in {unequal} tables")
    sys.exit(1 if unequal else 0)


def tables_of(lake: Path) -> list[str]:
    """Return the names of a lake's tables, sorted, such as 'features' or 'staging/customers'."""
    return sorted(log.parent.relative_to(lake).as_posix() for log in lake.glob("**/_delta_log"))


def compare(a: Path, b: Path) -> Iterator[Comparison]:
    """Yield each table that either lake holds, compared in their newest versions."""
    in_a, in_b = tables_of(a), tables_of(b)
    for table in sorted({*in_a, *in_b}):
        if table not in in_a:
            yield Comparison(table, 0, 0, ("only in B",))
            continue
        left = _read(a, table)
        if table not in in_b:
            yield Comparison(table, left.num_rows, left.num_columns, ("only in A",))
            continue
        differences = tuple(_differences(left, _read(b, table)))
        yield Comparison(table, left.num_rows, left.num_columns, differences)


def _read(lake: Path, table: str) -> pa.Table:
    folder = str((lake / table).resolve())
    # By Arrow's own files: those of deltalake call Python from Arrow's threads, which may abort as the process ends.
    rows = DeltaTable(folder).to_pyarrow_table(filesystem=SubTreeFileSystem(folder, LocalFileSystem()))
    rows = rows.drop_columns([name for name in LEFT_OUT.get(table, ()) if name in rows.column_names])
    if table.startswith("tiles/"):
        for name in filter(lambda name: name.endswith(BAGS), rows.column_names):
            rows = rows.set_column(rows.column_names.index(name), rows.schema.field(name), _in_one_order(rows[name]))
    return rows


def _in_one_order(lists: pa.ChunkedArray) -> pa.Array:
    """Each list with its values in the order of their texts."""
    return pa.array([values and sorted(values, key=repr) for values in lists.to_pylist()], lists.type)


def _differences(a: pa.Table, b: pa.Table) -> Iterator[str]:
    yield from (f"column '{name}' is only in A" for name in a.column_names if name not in b.column_names)
    yield from (f"column '{name}' is only in B" for name in b.column_names if name not in a.column_names)
    both = [name for name in a.column_names if name in b.column_names]
    same_type = []
    for name in both:
        types = a.schema.field(name).type, b.schema.field(name).type
        if types[0] == types[1]:
            same_type.append(name)
        else:
            yield f"column '{name}' is {types[0]} in A and {types[1]} in B"
    if a.num_rows != b.num_rows:
        yield f"{a.num_rows:,} rows in A and {b.num_rows:,} in B"
    if same_type:
        yield from _unequal_rows(a.select(same_type), b.select(same_type))


def _unequal_rows(a: pa.Table, b: pa.Table) -> Iterator[str]:
    """Compare two tables of the same columns and types as bags of rows."""
    codes = [_codes(pa.chunked_array([*a[name].chunks, *b[name].chunks], a[name].type)) for name in a.column_names]
    rows = np.stack(codes, axis=1)
    left, right = _in_order(rows[: a.num_rows]), _in_order(rows[a.num_rows :])
    if np.array_equal(left, right):
        return
    only_left, only_right = _count_only(left, right), _count_only(right, left)
    yield f"{only_left:,} rows are only in A and {only_right:,} only in B"
    if a.num_rows != b.num_rows:
        return
    for name, code in zip(a.column_names, codes, strict=True):
        if not np.array_equal(np.sort(code[: a.num_rows]), np.sort(code[a.num_rows :])):
            yield f"column '{name}' holds other values"


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """Number the values of a column: two cells have one number if, and only if, they are equal; null has its own."""
    numbered = pc.dictionary_encode(_comparable(column), null_encoding="encode").combine_chunks()
    return numbered.indices.to_numpy(zero_copy_only=False).astype(np.int32)


def _comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Doubles as their bits, lists and structs as text that spells every bit, the rest as it is."""
    kind = column.type
    if pa.types.is_floating(kind):
        as_bits = {64: pa.int64(), 32: pa.int32(), 16: pa.int16()}[kind.bit_width]
        return pa.chunked_array([chunk.view(as_bits) for chunk in column.chunks], as_bits)
    if pa.types.is_nested(kind):
        return pa.chunked_array([[None if value is None else repr(value) for value in column.to_pylist()]], pa.string())
    return column


def _in_order(rows: np.ndarray) -> np.ndarray:
    """Each row as one value, sorted."""
    whole = np.ascontiguousarray(rows).view([("", rows.dtype)] * rows.shape[1]).reshape(-1)
    return np.sort(whole)


def _count_only(a: np.ndarray, b: np.ndarray) -> int:
    """How many of the rows of `a` have no like in `b`, each counted as often as it stands there."""
    rows, number = np.unique(np.concatenate([a, b]), return_inverse=True)
    count = [np.bincount(part, minlength=len(rows)) for part in (number[: len(a)], number[len(a) :])]
    return int(np.maximum(count[0] - count[1], 0).sum())


if __name__ == "__main__":
    main()

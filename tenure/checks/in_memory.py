"""Checks of rows in memory: a contract without SQL, for tables that Python makes."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from tenure.define.contract_base import CheckResult, Contract, OneOf, Within
from tenure.errors import StoreError
from tenure.faults.redact import shown_row


def schema_of(contract: Contract) -> pa.Schema:
    """Return the columns that a contract names, with their types."""
    return pa.schema([pa.field(name, _TYPES[type_]) for name, type_ in contract.columns.items()])


_TYPES = {
    str(type_): type_
    for type_ in (
        pa.string(),
        pa.int64(),
        pa.float64(),
        pa.bool_(),
        pa.date32(),
        pa.timestamp("us", tz="UTC"),
    )
}


def check_rows(contract: Contract, rows: pa.Table) -> list[CheckResult]:
    """Return the result of every check of a contract on rows in memory.

    Raises StoreError if a column is missing or of another type than the contract names, or the contract holds a
    condition in SQL, which only an engine can check.
    """
    import pyarrow.compute as pc

    _require_columns(contract, rows)
    results = []
    for name, broken in _broken(contract, rows):
        failed = int(pc.sum(broken).as_py() or 0)
        example = ""
        if failed:
            shown = rows.select(contract.keys or rows.column_names[:1])
            first = shown.filter(broken).slice(0, 1).to_pylist()[0]
            example = shown_row(first.items(), contract.personal)
        results.append(CheckResult(contract.table, name, failed, example))
    return results


def _require_columns(contract: Contract, rows: pa.Table) -> None:
    for name in (*contract.keys, *contract.partition_by, *contract.columns, *contract.required):
        if name not in rows.column_names:
            raise StoreError(f"rows for table '{contract.table}' lack the column '{name}' of its contract.")
    for name, type_ in contract.columns.items():
        found = rows.schema.field(name).type
        if str(found) != type_:
            raise StoreError(f"rows for table '{contract.table}' have '{name}' as {found}; its contract says {type_}.")


def _broken(contract: Contract, rows: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Yield each check's name with true at the rows that break it."""
    import pyarrow.compute as pc

    if contract.keys:
        yield "keys_are_unique", _repeated(rows, contract.keys)
    for column in contract.required:
        yield f"{column}_is_not_null", pc.is_null(rows[column])
    for invariant in contract.invariants:
        if isinstance(invariant, Within):
            column = rows[invariant.column]
            kept = pc.and_(pc.greater_equal(column, invariant.low), pc.less_equal(column, invariant.high))
        elif isinstance(invariant, OneOf):
            column = rows[invariant.column]
            kept = pc.is_in(column, pa.array(invariant.texts))
        else:
            raise StoreError(f"the contract of table '{contract.table}' holds SQL, which rows in memory can't meet.")
        yield invariant.name, pc.and_(pc.is_valid(column), pc.invert(pc.fill_null(kept, True)))


def _repeated(rows: pa.Table, keys: tuple[str, ...]) -> pa.ChunkedArray:
    """True at each row whose key another row before it has."""
    import pyarrow.compute as pc

    numbered = rows.select(keys).append_column("__row", pa.array(range(rows.num_rows), pa.int64()))
    first = numbered.group_by(list(keys)).aggregate([("__row", "min")])["__row_min"]
    return pc.invert(pc.is_in(numbered["__row"], first.combine_chunks()))

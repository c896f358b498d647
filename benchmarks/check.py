"""Check: two ways' tables compared cell for cell; exits 1 and names the columns and a row where they differ.

    python benchmarks/check.py workload.json ours.json other.json [--those-it-has]

The JSON files list the Parquet files. Whole numbers must be equal; others within one part in a million; null equals
null alone. Rows that only one side has are differences, and so are columns, unless --those-it-has is given.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
from workload import load

TOLERANCE = 1e-6
_KEY = ("customer_id", "snapshot_date")
_CHUNK = 40


def main() -> None:
    """Compare and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", type=Path)
    parser.add_argument("left", type=Path)
    parser.add_argument("right", type=Path)
    parser.add_argument("--those-it-has", action="store_true")
    arguments = parser.parse_args()
    given = load(arguments.workload)
    left, right = (json.loads(file.read_text())["files"] for file in (arguments.left, arguments.right))
    connection = opened(left, right)
    has = _kinds(connection, "r") if arguments.those_it_has else given.columns
    columns = [name for name in given.columns if name in has and name not in _KEY]
    wrong = list(differences(connection, columns, given.rows))
    if wrong:
        sys.exit("\n".join(wrong))
    sys.stdout.write(json.dumps({"columns": len(columns), "rows": given.rows}) + "\n")


def opened(left: Sequence[str], right: Sequence[str]) -> duckdb.DuckDBPyConnection:
    """Return a connection that knows both sides, as `l` and `r`."""
    connection = duckdb.connect(config={"memory_limit": "4GB"})
    for name, files in (("l", left), ("r", right)):
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({list(files)}, hive_partitioning = true)")
    return connection


def differences(connection: duckdb.DuckDBPyConnection, columns: Sequence[str], rows: int) -> Iterator[str]:
    """Yield a sentence for each thing that differs; both sides must have `rows` rows, one a customer and snapshot."""
    joined = f"l JOIN r USING ({', '.join(_KEY)})"
    for side, relation in (("left", "l"), ("right", "r"), ("matching", joined)):
        ((count,),) = connection.execute(f"SELECT COUNT(*) FROM {relation}").fetchall()
        if count != rows:
            yield f"{side}: {count:,} rows, not {rows:,}"
    left, right = _kinds(connection, "l"), _kinds(connection, "r")
    yield from (f"{name}: missing" for name in columns if name not in right)
    compared = [name for name in columns if name in right]
    for first in range(0, len(compared), _CHUNK):
        some = compared[first : first + _CHUNK]
        counts = ", ".join(f"COUNT(CASE WHEN {_differs(name, left[name])} THEN 1 END)" for name in some)
        cells = connection.execute(f"SELECT {counts} FROM {joined}").fetchall()[0]
        for name, count in zip(some, cells, strict=True):
            if count:
                yield f"{name}: {count:,} cells differ, such as {_example(connection, joined, name, left[name])}"


def _differs(name: str, kind: str) -> str:
    exact = f"l.{name} IS DISTINCT FROM r.{name}"
    if kind not in ("FLOAT", "DOUBLE"):
        return exact
    far = f"abs(l.{name} - r.{name}) > {TOLERANCE} * greatest(abs(l.{name}), abs(r.{name}))"
    return f"{exact} AND (l.{name} IS NULL OR r.{name} IS NULL OR {far})"


def _example(connection: duckdb.DuckDBPyConnection, joined: str, name: str, kind: str) -> str:
    told = ", ".join((*_KEY, f"l.{name}", f"r.{name}"))
    where = _differs(name, kind)
    customer, day, left, right = connection.execute(
        f"SELECT {told} FROM {joined} WHERE {where} ORDER BY {', '.join(_KEY)} LIMIT 1"
    ).fetchall()[0]
    return f"customer {customer} at {day}: {left!r} and {right!r}"


def _kinds(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """The columns and their types."""
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {relation}").fetchall()}


if __name__ == "__main__":
    main()

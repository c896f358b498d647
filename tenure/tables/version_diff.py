"""Two versions of a table side by side, matched by key: counts of rows and cells, and the largest changes.

version_before   k │ x          version_after   k │ x
                 1 │ 10                         1 │ 10      the same
                 2 │ 20                         2 │ 25      changed: 5 is so many standard deviations of x
                 3 │ 30                         4 │ 40      3 removed, 4 added
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tenure.sql import quoted
from tenure.sql.dialects import op
from tenure.sql.expressions import (
    all_of,
    any_of,
    at_most,
    call,
    case,
    cast,
    coalesce,
    count_where,
    differs,
    each_of,
    equal,
    grouped,
    is_not_null,
    is_null,
    listed,
    named,
    negated,
    of,
)
from tenure.sql.query import Cte, Join, Query
from tenure.tables.column_facts import Kind, as_number

#: The relations that are compared: the rows of the files that are not in both versions.
BEFORE, AFTER = "version_before", "version_after"


@dataclass(frozen=True)
class Compared:
    """A column of both versions. Where `as_text`, its type changed to one that compares only as text."""

    name: str
    kind: Kind
    as_text: bool = False


@dataclass(frozen=True)
class Pairing:
    """How two versions are compared: by which keys, in which columns; floats that differ by no more are equal."""

    keys: Sequence[str]
    columns: Sequence[Compared]
    tolerance: float = 0.0

    def repeated(self, relation: str) -> Query:
        """Return one row: how many keys of a version stand in more than one row."""
        keys = [quoted(key, "duckdb") for key in self.keys]
        repeated = Query(columns=keys, source=relation, group_by=keys, having="COUNT(*) > 1")
        return Query(columns=[named("COUNT(*)", "keys_repeated")], source=repeated, alias="repeated")

    def counts(self) -> Query:
        """Return one row: rows added, removed, matched and changed, and `cells_n` of the column at place n."""
        changed = [of("c", f"changed_{place}") for place in range(len(self.columns))]
        lines = [
            named(count_where(is_null(of("c", "row_before"))), "rows_added"),
            named(count_where(is_null(of("c", "row_after"))), "rows_removed"),
            named(count_where(any_of(*changed) if changed else "FALSE"), "rows_changed"),
        ]
        lines += [named(count_where(one), f"cells_{place}") for place, one in enumerate(changed)]
        return Query(lines=lines, source="compared", alias="c", ctes=self._ctes())

    def largest(self, spreads: Sequence[float], shown: Sequence[int], most: int) -> Query:
        """Return the largest changes, the largest first: `key_n`, the column's place, both values as text, the size.

        A size is in standard deviations, `spreads` by place; what has none, a text or a value that came or went,
        comes last. Only the columns at the places `shown` are looked at.
        """
        keys = [f"key_{place}" for place in range(len(self.keys))]
        changes = op("members", "duckdb", f"[{listed(self._change(place, spreads[place]) for place in shown)}]")
        each = Query(
            columns=[*each_of("c", keys), named(changes, "change")],
            source="compared",
            alias="c",
            where=any_of(*(of("c", f"changed_{place}") for place in shown)),
        )
        found = [named(of("change", name), name) for name in ("place", "cell_before", "cell_after", "size")]
        return Query(
            columns=[*keys, *found],
            source="changed_cells",
            where=of("change", "is_changed"),
            order_by=[of("change", "size") + " DESC NULLS LAST", of("change", "place"), *keys],
            limit=most,
            ctes=[*self._ctes(), Cte("changed_cells", "each changed row, once for every column", each)],
        )

    def _ctes(self) -> list[Cte]:
        keys = [quoted(key, "duckdb") for key in self.keys]
        # A part of a key may be null: the snapshot date of an evaluation over all snapshots is.
        matched = [f"{of('a', key)} IS NOT DISTINCT FROM {of('b', key)}" for key in keys]
        pairs = Query(
            lines=[
                *(named(coalesce(of("a", key), of("b", key)), f"key_{n}") for n, key in enumerate(keys)),
                *each_of("a", ["row_before"]),
                *each_of("b", ["row_after"]),
                *self._cells(),
            ],
            source="older",
            alias="a",
            joins=[Join("newer", alias="b", kind="FULL", on=matched)],
        )
        cells = [f"{when}_{place}" for place in range(len(self.columns)) for when in ("before", "after")]
        kept = [*(f"key_{place}" for place in range(len(keys))), "row_before", "row_after", *cells]
        compared = Query(lines=[*each_of("p", kept), *self._changed()], source="paired", alias="p")
        return [
            Cte("older", "the rows of the older version", self._rows(BEFORE, "row_before")),
            Cte("newer", "the rows of the newer version", self._rows(AFTER, "row_after")),
            Cte("paired", "each key once, with its cells before and after", pairs),
            Cte("compared", "each key once, and which of its cells changed", compared),
        ]

    def _rows(self, relation: str, mark: str) -> Query:
        columns = [quoted(name, "duckdb") for name in (*self.keys, *(column.name for column in self.columns))]
        return Query(columns=[*each_of("r", columns), named("TRUE", mark)], source=relation, alias="r")

    def _cells(self) -> Iterator[str]:
        for place, column in enumerate(self.columns):
            name = quoted(column.name, "duckdb")
            for relation, when in (("a", "before"), ("b", "after")):
                cell = of(relation, name)
                yield named(cast(cell, "VARCHAR") if column.as_text else cell, f"{when}_{place}")

    def _changed(self) -> Iterator[str]:
        in_both = all_of(is_not_null(of("p", "row_before")), is_not_null(of("p", "row_after")))
        for place, column in enumerate(self.columns):
            old, new = of("p", f"before_{place}"), of("p", f"after_{place}")
            unequal = differs(old, new)
            if column.kind == "float" and self.tolerance:
                near = at_most(call("ABS", f"{old} - {new}"), repr(self.tolerance))
                unequal = all_of(unequal, negated(coalesce(grouped(near), "FALSE")))
            elif column.kind == "float":
                # 0 and −0 compare equal, and are not of the same bits.
                signs = f"{call('signbit', old)} <> {call('signbit', new)}"
                unequal = any_of(unequal, grouped(all_of(equal(old, 0), signs)))
            yield named(grouped(all_of(in_both, coalesce(grouped(unequal), "FALSE"))), f"changed_{place}")

    def _change(self, place: int, spread: float) -> str:
        column, old, new = self.columns[place], of("c", f"before_{place}"), of("c", f"after_{place}")
        size = cast("NULL", "DOUBLE")
        if spread and column.kind != "other" and not column.as_text:
            apart = call("ABS", f"{as_number(new, column.kind)} - {as_number(old, column.kind)}") + f" / {spread!r}"
            size = case(when=op("is_finite", "duckdb", grouped(apart)), then=apart)
        parts = {
            "place": place,
            "is_changed": of("c", f"changed_{place}"),
            "size": size,
            "cell_before": cast(old, "VARCHAR"),
            "cell_after": cast(new, "VARCHAR"),
        }
        return op("struct", "duckdb", listed(op("field", "duckdb", name, sql) for name, sql in parts.items()))

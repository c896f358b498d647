"""Joins: how a table's rows reach their customer: by their own column, by the table that they point at, or by a link.

customers ◄── disp (a link: who may use which account) ──► accounts ◄── transactions
              WHERE type = 'OWNER': one customer an account
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tenure.begin.keys import Key, Pointer, own_key
from tenure.begin.tables import RawColumn, RawTableSeen, sql_name

#: A link's column may have so many values to choose one of.
_FEW_VALUES = 20

#: The share of keys that a chosen value of a link has to keep.
_KEPT = 0.99

#: Values of a link that say who owns.
_OWNER = re.compile("own|main|primary|holder|inhaber|titular|first", re.IGNORECASE)


@dataclass(frozen=True)
class Route:
    """How rows reach a customer: SQL of a relation that has `key` and the customer's key; the raw tables it reads."""

    select: str
    key: str
    customer: str
    reads: tuple[str, ...]
    why: str = ""
    question: str = ""


@dataclass
class Joins:
    """The tables, their keys and pointers, and which columns hold the customer's key, by table."""

    tables: Mapping[str, RawTableSeen]
    keys: Mapping[str, Key]
    pointers: Sequence[Pointer]
    customer: str
    customer_columns: Mapping[str, str]
    _routes: dict[str, Route | None] = field(default_factory=dict)

    def from_table(self, table: str) -> Pointer | None:
        """Return the pointer by which a table's rows reach a customer, where they don't have the customer themselves.

        That of accounts comes before others, since one account is of one customer; a link's own key comes last.
        """
        mine = [one for one in self.pointers if one.table == table and self.route(one.parent)]
        return min(mine, key=lambda one: (one.parent in self._links(), self._depth(one.parent)), default=None)

    def _links(self) -> set[str]:
        """The tables that point at two others and have the customer: who may use what."""
        return {
            name
            for name in self.customer_columns
            if any(p.table == name and p.parent != self.customer for p in self.pointers)
        }

    def _depth(self, table: str) -> int:
        route = self.route(table)
        return len(route.reads) if route else 99

    def route(self, table: str) -> Route | None:
        """Return how the key of a table leads to one customer; None where it does not, or has several columns."""
        if table not in self._routes:
            self._routes[table] = None  # a circle of pointers leads nowhere
            self._routes[table] = self._found_route(table)
        return self._routes[table]

    def _found_route(self, table: str) -> Route | None:
        key = next(iter(own_key(self.keys[table])), "")
        if not key or table == self.customer:
            return None
        if table in self.customer_columns:
            return self._by_itself(table, key)
        linked = self._by_link(table)
        if linked:
            return linked
        pointer = self.from_table(table)
        onwards = self.route(pointer.parent) if pointer else None
        if pointer is None or onwards is None:
            return None
        on = f"o.{sql_name(onwards.key)} = p.{sql_name(pointer.column)}"
        select = (
            f"SELECT p.{sql_name(key)}, o.{sql_name(onwards.customer)} FROM {table} AS p "
            f"JOIN ({onwards.select}) AS o ON {on}"
        )
        return Route(select, key, onwards.customer, (table, *onwards.reads), onwards.why)

    def _by_itself(self, table: str, key: str) -> Route:
        customer = self.customer_columns[table]
        columns = f"{sql_name(key)}, {sql_name(customer)}"
        if self.keys[table].versions:
            columns = f"{sql_name(key)}, MAX({sql_name(customer)}) AS {sql_name(customer)}"
            return Route(f"SELECT {columns} FROM {table} GROUP BY {sql_name(key)}", key, customer, (table,))
        return Route(f"SELECT {columns} FROM {table}", key, customer, (table,))

    def _by_link(self, table: str) -> Route | None:
        """Through a table that points both at this one and at the customers, limited to one customer a key."""
        for pointer in self.pointers:
            if pointer.parent != table or pointer.table not in self.customer_columns or pointer.table == table:
                continue
            link = self.tables[pointer.table]
            customer = self.customer_columns[pointer.table]
            if self.keys[pointer.table].columns == (pointer.column,):
                continue  # that table is of the same rows
            if not self._is_link(link):
                continue
            select = f"SELECT {sql_name(pointer.column)}, {sql_name(customer)} FROM {link.name}"
            keys = link.different([pointer.column])
            if keys == link.rows:
                why = f"{pointer.column} is unique in {link.rows:,} rows of {link.name}"
                return Route(select, pointer.column, customer, (link.name,), why)
            chosen, why = _one_of_each(link, pointer.column, keys)
            if chosen:
                return Route(f"{select} WHERE {chosen}", pointer.column, customer, (link.name,), why)
            name, by = sql_name(customer), sql_name(pointer.column)
            least = f"SELECT {by}, MIN({name}) AS {name} FROM {link.name} GROUP BY {by}"
            question = f"{link.name} has several customers for some of {table}: whose are they? The least is taken."
            return Route(least, pointer.column, customer, (link.name,), "", question)
        return None

    def _is_link(self, link: RawTableSeen) -> bool:
        """Whether a table ties customers to things, and is no table of events: it has no amount."""
        measures = [c for c in link.columns.values() if c.format.type in ("decimal", "float")]
        return not measures and any(p.table == link.name and p.parent == self.customer for p in self.pointers)


def _one_of_each(link: RawTableSeen, key: str, keys: int) -> tuple[str, str]:
    """The condition on one of a link's columns that leaves one row of each key, and what was counted."""
    for column in link.columns.values():
        if (
            column.raw == key
            or column.type not in ("string", "boolean")
            or column.different > _FEW_VALUES
            or column.personal
        ):
            continue
        for value in sorted(set(filter(None, link.sample[column.raw])), key=lambda v: (_OWNER.search(v) is None, v)):
            condition = f"{sql_name(column.raw)} = {_literal(column, value)}"
            rows = link.count(f"SELECT COUNT(*) AS n FROM {link.relation} WHERE {condition}")["n"]
            if rows >= _KEPT * keys and link.different([key], condition) == rows:
                return condition, f"{key} is unique in {rows:,} of {link.rows:,} rows, where {condition}"
    return "", ""


def _literal(column: RawColumn, value: str) -> str:
    if column.format.type == "boolean" and value in ("true", "false"):
        return value.upper()
    return "'" + value.replace("'", "''") + "'"

"""The bank: what the tables that were seen mean together, as sources and questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tenure.begin.customers import customers_source
from tenure.begin.facts import Facts, facts_of, plain_source
from tenure.begin.joins import Route
from tenure.begin.planned import PlannedColumn, PlannedSource, equal_keys, set_latest_day
from tenure.begin.tables import RawTableSeen, sql_name
from tenure.begin.times import Times


@dataclass
class Bank:
    """The sources by their names, the customers' among them, and what could not be told."""

    customer_key: str
    sources: dict[str, PlannedSource] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)
    #: The tables that were looked at, and their times.
    tables: dict[str, RawTableSeen] = field(default_factory=dict)
    times: dict[str, Times] = field(default_factory=dict)


def bank_of(tables: Sequence[RawTableSeen]) -> Bank:
    """Return what the tables mean together."""
    facts = facts_of(tables)
    bank = Bank(facts.customer_key, questions=facts.questions, tables=facts.tables, times=facts.times)
    customers = customers_source(facts)
    bank.sources[customers.name] = customers
    for name in facts.tables:
        if name != facts.customer_table:
            source = _source(facts, name)
            if source is not None:
                bank.sources[source.name] = source
    return bank


def _source(facts: Facts, name: str) -> PlannedSource | None:
    """A table's source, with its customer joined in where it leads to one."""
    table, key = facts.tables[name], facts.keys[name]
    if not key.columns:
        facts.questions.append(f"{name} is in no source, since it has no key.")
        return None
    source = plain_source(facts, table, facts.names[name])
    _join_customer(facts, source, table)
    if not source.event_time:
        facts.questions += facts.times[name].questions
        source.select = source.select or f"SELECT t.* FROM {name} AS t"
        set_latest_day(source, table)
    else:
        facts.questions += facts.times[name].questions
    return source


def _join_customer(facts: Facts, source: PlannedSource, table: RawTableSeen) -> None:
    direct = facts.joins.customer_columns.get(table.name)
    if direct:
        column = next(one for one in source.columns if one.raw == direct)
        _rename(source, column, facts.customer_key)
        source.has_customer = True
        missing = table.rows - table.columns[direct].filled
        if missing:
            source.select = f"SELECT t.*\nFROM {table.name} AS t\nWHERE t.{sql_name(direct)} IS NOT NULL"
            source.why.append(f"{missing:,} of {table.rows:,} rows without {direct} are left out")
            facts.questions.append(f"{table.name}: whose are the rows without {direct}? {missing:,} are left out.")
        return
    pointer = facts.joins.from_table(table.name)
    route = facts.joins.route(pointer.parent) if pointer else None
    own = facts.joins.route(table.name) if not route else None
    if route and pointer:
        _join_by(facts, source, table, pointer.column, route)
    elif own:
        _join_by(facts, source, table, facts.keys[table.name].columns[0], own)


def _join_by(facts: Facts, source: PlannedSource, table: RawTableSeen, column: str, route: Route) -> None:
    as_text = len({type(facts.tables[name].found.raw) for name in (table.name, *route.reads)}) > 1
    on = equal_keys(f"o.{sql_name(route.key)}", f"t.{sql_name(column)}", as_text=as_text)
    source.select = (
        f"SELECT t.*, o.{sql_name(route.customer)}\nFROM {table.name} AS t\n"
        f"LEFT JOIN (\n    {route.select}\n) AS o ON {on}"
    )
    source.reads |= {name: facts.tables[name].found.raw for name in route.reads}
    seen = facts.tables[route.reads[-1]].columns[route.customer]
    why = [f"by {table.name}.{column}"] + ([route.why] if route.why else [])
    taken = [one for one in source.columns if one.name == facts.customer_key]
    for one in taken:
        one.name = f"{table.name}_{one.name}"
    source.columns.append(PlannedColumn(facts.customer_key, seen.type, "key", route.customer, seen, why=why))
    source.has_customer = True
    if route.question:
        facts.questions.append(route.question)


def _rename(source: PlannedSource, column: PlannedColumn, name: str) -> None:
    old, column.name, column.role = column.name, name, "key"
    source.key = tuple(name if one == old else one for one in source.key)

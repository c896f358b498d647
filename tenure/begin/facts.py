"""Facts: what is known of all tables together: keys, times, pointers, who customers are, what a source is called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tenure.begin.joins import Joins
from tenure.begin.keys import CUSTOMER, Key, Pointer, is_id, key_of, names_row_of, own_key, pointers
from tenure.begin.personal import is_protected
from tenure.begin.planned import PlannedColumn, PlannedSource, rounded_up
from tenure.begin.tables import RawColumn, RawTableSeen, sql_name
from tenure.begin.times import Times, times_of
from tenure.define.source import RESERVED_TABLES

#: What the pack calls its sources, and how banks call them.
_PACK_NAMES = {
    "customers": CUSTOMER,
    "accounts": re.compile(r"account|acct|konto|konten|compte|cuenta|depot"),
    "transactions": re.compile(
        r"trans|booking|payment|ledger|buchung|umsatz|movement|posting|invoice|sales|purchase|order_line"
    ),
    "interactions": re.compile(r"interaction|contact|call|complaint|ticket|crm|event"),
}

_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₽": "RUB"}
_UNITS = (
    (re.compile(r"_(eur|usd|gbp|czk|chf|pln|huf|jpy)$"), ""),
    (re.compile(r"minutes?$|_min$"), "minutes"),
    (re.compile(r"months?$"), "months"),
    (re.compile(r"days?$"), "days"),
    (re.compile(r"percent|_pct$|share$"), "%"),
)
_CURRENCY = re.compile(r"(currency|ccy|waehrung|devise|mena)(_code)?")

#: A text of up to so many different values is a dimension.
_FEW_VALUES = 50


@dataclass
class Facts:
    """What was told of all tables, before sources are made of them."""

    tables: dict[str, RawTableSeen]
    keys: dict[str, Key]
    times: dict[str, Times]
    joins: Joins
    customer_table: str
    customer_key: str
    names: dict[str, str]
    currency: str
    questions: list[str] = field(default_factory=list)


def facts_of(tables: Sequence[RawTableSeen]) -> Facts:
    """Return what is known of the tables together."""
    by_name = {table.name: table for table in tables}
    named_so = {table.name: _customer_column(table) for table in tables}
    customer_columns = {name: column for name, column in named_so.items() if column}
    keys = {table.name: key_of(table, _has_customer(table, customer_columns)) for table in tables}
    found, questions = pointers(tables, keys)
    customer_table = _customer_table(by_name, keys, found)
    if not customer_table and not customer_columns:
        customer_table = _any_table(by_name, keys)
        key = keys[customer_table].columns[0]
        questions.append(f"no column says customer: is a row of {customer_table} a customer, by {key}?")
    if customer_table:
        # What points at the customers' key is the customer's; a name alone is no proof.
        customer_columns = {one.table: one.column for one in found if one.parent == customer_table}
        customer_key = by_name[customer_table].columns[keys[customer_table].columns[0]].name
    else:
        named = [by_name[table].columns[raw].name for table, raw in customer_columns.items()]
        customer_key = named[0]
    joins = Joins(by_name, keys, found, customer_table, customer_columns)
    times = {table.name: times_of(table, keys[table.name]) for table in tables}
    for table in tables:
        questions += [keys[table.name].question] if keys[table.name].question else []
        if table.left_out:
            questions.append(
                f"{table.name}: {table.left_out} columns are left out; what do breaks in their names mean?"
            )
    names = _source_names(by_name, customer_table, times)
    currency = _currency(tables)
    if not currency:
        questions.append("in which currency are the amounts? (unit=)")
    return Facts(by_name, keys, times, joins, customer_table, customer_key, names, currency, questions)


def _customer_column(table: RawTableSeen) -> str:
    """The raw name of the column that by its name holds a customer's key."""
    named = [c for c in table.columns.values() if c.may_be_key and is_id(c.name) and CUSTOMER.search(c.name)]
    return next((c.raw for c in named), "")


def _has_customer(table: RawTableSeen, customer_columns: Mapping[str, str]) -> str:
    """The condition that a row is of a customer; '' where every row is."""
    raw = customer_columns.get(table.name)
    return f"{sql_name(raw)} IS NOT NULL" if raw and table.columns[raw].filled < table.rows else ""


def _customer_table(tables: Mapping[str, RawTableSeen], keys: Mapping[str, Key], found: Sequence[Pointer]) -> str:
    """The table of customers: its key or its name says so, and the most columns point at it."""
    ranked = []
    for name, table in tables.items():
        column = next((table.columns[raw] for raw in own_key(keys[name])), None)
        if column is None:
            continue
        by_key = bool(CUSTOMER.search(column.name))
        by_name = bool(CUSTOMER.search(name)) and names_row_of(column.name, name)
        if by_key or by_name:
            ranked.append((by_key, by_name, sum(one.parent == name for one in found), name))
    return max(ranked)[-1] if ranked else ""


def _any_table(tables: Mapping[str, RawTableSeen], keys: dict[str, Key]) -> str:
    """The first table with a key of one column; else the first table, of which the first column is taken for one."""
    keyed = next((name for name in tables if own_key(keys[name])), "")
    if not keyed:
        keyed = next(iter(tables))
        keys[keyed] = Key((next(iter(tables[keyed].columns)),), "the first column; no key was found")
    return keyed


def _source_names(
    tables: Mapping[str, RawTableSeen], customer_table: str, times: Mapping[str, Times]
) -> dict[str, str]:
    """What each table's source is called: as the pack calls it, where the table's name says so; else as the table."""
    names: dict[str, str] = {customer_table: "customers"} if customer_table else {}
    for wanted in ("accounts", "transactions", "interactions"):
        fits = [name for name in tables if name not in names and _PACK_NAMES[wanted].search(name) and times[name].event]
        if wanted == "transactions":
            fits = [name for name in fits if _has_amount(tables[name])] or _ledgers(tables, names, times)
        if fits:
            names[max(fits, key=lambda name: tables[name].rows if wanted == "transactions" else -len(name))] = wanted
    for name in tables:
        if name not in names:
            taken = name in RESERVED_TABLES or name in names.values()
            names[name] = f"{name}_rows" if taken else name
    return names


def _ledgers(tables: Mapping[str, RawTableSeen], names: Mapping[str, str], times: Mapping[str, Times]) -> list[str]:
    return [name for name, table in tables.items() if name not in names and _has_amount(table) and times[name].event]


def _has_amount(table: RawTableSeen) -> bool:
    return any(column.type in ("decimal", "float") for column in table.columns.values())


def _currency(tables: Sequence[RawTableSeen]) -> str:
    """The one currency of all tables, '' where they name none or several."""
    codes: set[str] = set()
    for table in tables:
        for column in table.columns.values():
            if _CURRENCY.fullmatch(column.name) and not column.personal:
                codes |= set(filter(None, table.sample[column.raw]))
            if column.format.currency:
                codes.add(_SIGNS.get(column.format.currency, column.format.currency.upper()))
    (*_, one) = codes or {""}
    return one if len(codes) == 1 and re.fullmatch("[A-Z]{3}", one) else ""


def columns_of(facts: Facts, table: RawTableSeen) -> list[PlannedColumn]:
    """Return a table's columns as a source declares them."""
    key, times = facts.keys[table.name], facts.times[table.name]
    pointing = {one.column: one for one in facts.joins.pointers if one.table == table.name}
    found = []
    for column in table.columns.values():
        planned = PlannedColumn(column.name, column.type, "attribute", column.raw, column)
        planned.role = "key" if column.raw in pointing else _role(column, key, times)
        planned.unit = _unit(column, facts.currency)
        planned.planned = column.raw in times.planned
        if times.reason and times.reason.raw == column.raw:
            # Closing writes it: no feature is made of it.
            planned.role, planned.reason = "metadata", times.reason
        if column.raw in pointing:
            planned.why.append(pointing[column.raw].why)
        planned.why += [why for raw, why in times.why if raw == column.raw]
        if column.personal:
            planned.why.append(column.personal)
        elif column.format.why:
            planned.why.append(column.format.why)
        if column.format.question:
            facts.questions.append(f"{table.name}.{column.raw}: {column.format.question}")
        found.append(planned)
    return found


def _role(column: RawColumn, key: Key, times: Times) -> str:
    if column.personal:
        return "protected" if is_protected(column.personal) else "pii"
    is_key = column.raw in key.columns and (column.type == "string" or is_id(column.name) or len(key.columns) == 1)
    if is_key or (column.may_be_key and is_id(column.name) and CUSTOMER.search(column.name)):
        return "key"
    if column.raw == times.known:
        return "metadata"
    if column.format.is_time:
        return "time"
    if column.type in ("decimal", "float", "integer"):
        return "measure"
    return "dimension" if column.type == "string" and column.different <= _FEW_VALUES else "attribute"


def _unit(column: RawColumn, currency: str) -> str:
    if column.type not in ("decimal", "float", "integer"):
        return ""
    for pattern, unit in _UNITS:
        named = pattern.search(column.name)
        if named:
            return unit or named[1].upper()
    if column.format.currency:
        return _SIGNS.get(column.format.currency, column.format.currency.upper())
    return currency if column.type == "decimal" else ""


def plain_source(facts: Facts, table: RawTableSeen, name: str) -> PlannedSource:
    """Return a table's source, without any join."""
    key, times = facts.keys[table.name], facts.times[table.name]
    columns = columns_of(facts, table)
    names = {column.raw: column.name for column in columns}
    source = PlannedSource(
        name=name,
        reads={table.name: table.found.raw},
        columns=columns,
        key=tuple(names[raw] for raw in key.columns),
        key_why=key.why,
        event_time=names.get(times.event, ""),
        known_time=names.get(times.known, ""),
        ends=names.get(times.ends, ""),
        why=list(table.found.why),
        table=table.name,
    )
    if key.rivals:
        source.quarantine = rounded_up(key.rivals / table.rows)
    return source

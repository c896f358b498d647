"""The bank: what the tables that were seen mean together, as sources, an entity and questions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tenure.begin.joins import Joins, Route
from tenure.begin.keys import CUSTOMER, Key, Pointer, is_id, key_of, names_row_of, own_key, pointers
from tenure.begin.tables import RawColumn, RawTableSeen, sql_name
from tenure.begin.times import Times, sortable, sorts_as_written, times_of
from tenure.define.source import RESERVED_TABLES, RawTable

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
class PlannedColumn:
    """A column of a source, with what was seen of it."""

    name: str
    type: str
    role: str
    raw: str = ""
    seen: RawColumn | None = None
    unit: str = ""
    planned: bool = False
    why: list[str] = field(default_factory=list)


@dataclass
class PlannedSource:
    """A source as it is to be written."""

    name: str
    reads: dict[str, RawTable]
    columns: list[PlannedColumn]
    key: tuple[str, ...]
    key_why: str
    event_time: str
    known_time: str = ""
    ends: str = ""
    select: str = ""
    quarantine: float = 0.0
    unmatched: float = 0.0
    why: list[str] = field(default_factory=list)
    table: str = ""
    has_customer: bool = False
    has_own_time: bool = True

    def column(self, name: str) -> PlannedColumn:
        """Return the column of that name."""
        return next(column for column in self.columns if column.name == name)

    def of_raw(self, raw: str) -> str:
        """Return the name of the column that is spelled so in the raw table."""
        return next((column.name for column in self.columns if column.raw == raw), raw)


@dataclass
class Bank:
    """The sources by their names, the customers' among them, and what could not be told."""

    customer_key: str
    sources: dict[str, PlannedSource] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)
    #: What was looked at, for whoever compares it with the files: tables, their keys and times.
    tables: dict[str, RawTableSeen] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    times: dict[str, Times] = field(default_factory=dict)
    pointers: list[Pointer] = field(default_factory=list)


@dataclass
class _Facts:
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


def bank_of(tables: Sequence[RawTableSeen]) -> Bank:
    """Return what the tables mean together."""
    facts = _facts(tables)
    bank = Bank(facts.customer_key, questions=facts.questions)
    bank.tables, bank.keys, bank.times, bank.pointers = (
        facts.tables,
        facts.keys,
        facts.times,
        list(facts.joins.pointers),
    )
    customers = _customers(facts, bank)
    bank.sources[customers.name] = customers
    for name in facts.tables:
        if name != facts.customer_table:
            source = _source(facts, name, bank)
            if source is not None:
                bank.sources[source.name] = source
    return bank


def _facts(tables: Sequence[RawTableSeen]) -> _Facts:
    by_name = {table.name: table for table in tables}
    customer_columns = {table.name: found for table in tables if (found := _customer_column(table))}
    keys = {table.name: key_of(table, _has_customer(table, customer_columns)) for table in tables}
    found, questions = pointers(tables, keys)
    customer_table = _customer_table(by_name, keys, found)
    if customer_table:
        # What points at the customers' key is the customer's; a name alone is no proof.
        customer_columns = {one.table: one.column for one in found if one.parent == customer_table}
        customer_key = by_name[customer_table].columns[keys[customer_table].columns[0]].name
    else:
        named = [by_name[table].columns[raw].name for table, raw in customer_columns.items()]
        customer_key = named[0] if named else ""
    if not customer_key:
        customer_table, customer_key = _any_table(by_name, keys)
        questions.append(f"no column says customer: is a row of {customer_table} a customer, by {customer_key}?")
    joins = Joins(by_name, keys, found, customer_table, customer_columns)
    times = {table.name: times_of(table, keys[table.name]) for table in tables}
    for table in tables:
        questions += [keys[table.name].question] if keys[table.name].question else []
    names = _source_names(by_name, customer_table, times)
    currency = _currency(tables)
    if not currency:
        questions.append("in which currency are the amounts? (unit=)")
    return _Facts(by_name, keys, times, joins, customer_table, customer_key, names, currency, questions)


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


def _any_table(tables: Mapping[str, RawTableSeen], keys: Mapping[str, Key]) -> tuple[str, str]:
    """The first table with a key, else the first table by its first column."""
    keyed = next((name for name in tables if own_key(keys[name])), next(iter(tables)))
    table = tables[keyed]
    return keyed, table.columns[(*own_key(keys[keyed]), *table.columns)[0]].name


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


def _columns(facts: _Facts, table: RawTableSeen) -> list[PlannedColumn]:
    key, times = facts.keys[table.name], facts.times[table.name]
    pointing = {one.column: one for one in facts.joins.pointers if one.table == table.name}
    found = []
    for column in table.columns.values():
        planned = PlannedColumn(column.name, column.type, "attribute", column.raw, column)
        planned.role = _role(column, table, key, times, column.raw in pointing)
        planned.unit = _unit(column, facts.currency)
        planned.planned = column.raw in times.planned
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


def _role(column: RawColumn, table: RawTableSeen, key: Key, times: Times, points: bool) -> str:
    if column.personal:
        return "pii"
    is_key = column.raw in key.columns and (column.type == "string" or is_id(column.name) or len(key.columns) == 1)
    if is_key or points or (column.may_be_key and is_id(column.name) and CUSTOMER.search(column.name)):
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


def _customers(facts: _Facts, bank: Bank) -> PlannedSource:
    """The customers' source: their table, since their opening day; or whoever stands in another table."""
    if not facts.customer_table:
        return _customers_of_events(facts, bank)
    table = facts.tables[facts.customer_table]
    source = _plain_source(facts, table, "customers")
    source.has_customer = True
    times = facts.times[table.name]
    bank.questions += times.questions if times.event else ()
    event = table.columns.get(times.event)
    if event is None or event.filled < table.rows:
        _since_first_event(facts, source, table, bank)
    if not source.ends:
        _ends_of_accounts(facts, source, table, bank)
    return source


def _plain_source(facts: _Facts, table: RawTableSeen, name: str) -> PlannedSource:
    key, times = facts.keys[table.name], facts.times[table.name]
    columns = _columns(facts, table)
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


def rounded_up(share: float) -> float:
    """Return a share with some room, of one digit that counts: 0.00031 → 0.0005."""
    least = share * 1.2
    digit = 10 ** math.floor(math.log10(least))
    return min(0.99, round(math.ceil(least / digit) * digit, 6))


def _customers_of_events(facts: _Facts, bank: Bank) -> PlannedSource:
    """Where no table is of customers: whoever stands in the table that has the most, since the first row there."""
    holders = {name: raw for name, raw in facts.joins.customer_columns.items() if facts.times[name].event}
    if not holders:
        name, raw = next(iter(facts.joins.customer_columns.items()))
        table = facts.tables[name]
        source = _plain_source(facts, table, "customers")
        source.key, source.key_why, source.has_customer = (table.columns[raw].name,), "its name says customer", True
        _set_latest_day(facts, source, table, bank)
        return source
    name = max(holders, key=lambda one: facts.tables[one].columns[holders[one]].different)
    table, raw = facts.tables[name], holders[name]
    column, event = table.columns[raw], table.columns[facts.times[name].event]
    moment = f"MIN({sortable(event, 't')})"
    select = (
        f"SELECT t.{sql_name(raw)}, {moment} AS first_seen\nFROM {name} AS t\n"
        f"WHERE t.{sql_name(raw)} IS NOT NULL\nGROUP BY t.{sql_name(raw)}"
    )
    key = PlannedColumn(facts.customer_key, column.type, "key", raw, column, why=["its name says customer"])
    first = PlannedColumn("first_seen", event.type, "time", "first_seen", why=[f"the least {event.raw} in {name}"])
    customers = table.different([raw], f"{sql_name(raw)} IS NOT NULL")
    bank.questions.append(
        f"no table is of customers: are they the {customers:,} in {name}.{raw}, each since the first row?"
    )
    return PlannedSource(
        "customers",
        {name: table.found.raw},
        [key, first],
        (facts.customer_key,),
        f"one row for each of {customers:,} values of {raw}",
        "first_seen",
        select=select,
        table="",
        has_customer=True,
    )


def _since_first_event(facts: _Facts, source: PlannedSource, table: RawTableSeen, bank: Bank) -> None:
    """Give customers without an opening day that of the first row of theirs in another table."""
    found = _first_rows(facts, table)
    if found is None:
        _set_latest_day(facts, source, table, bank)
        return
    first_rows, event, of, reads = found
    key = sql_name(facts.keys[table.name].columns[0])
    source.select = (
        f"SELECT c.*, f.first_seen\nFROM {table.name} AS c\n"
        f"JOIN (\n    {first_rows}\n) AS f ON {_equal('f.customer_key', f'c.{key}', as_text=True)}"
    )
    source.reads |= {name: facts.tables[name].found.raw for name in reads}
    source.columns.append(
        PlannedColumn("first_seen", event.type, "time", "first_seen", why=[f"the least {event.raw} in {of}"])
    )
    source.event_time = "first_seen"
    bank.questions.append(
        f"{table.name} does not say since when one is a customer: since the first {event.raw} in {of}?"
    )


def _first_rows(facts: _Facts, table: RawTableSeen) -> tuple[str, RawColumn, str, tuple[str, ...]] | None:
    """SQL of each customer's first time in another table, its column, that table, and the raw tables read."""
    order = ("accounts", "transactions")
    names = sorted(facts.tables, key=lambda name: order.index(facts.names[name]) if facts.names[name] in order else 9)
    for name in names:
        other = facts.tables[name]
        event = other.columns.get(facts.times[name].event)
        if name == table.name or event is None or not sorts_as_written(event):
            continue
        moment = f"MIN({sortable(event, 't')}) AS first_seen"
        direct = facts.joins.customer_columns.get(name)
        if direct:
            select = (
                f"SELECT t.{sql_name(direct)} AS customer_key, {moment} FROM {name} AS t GROUP BY t.{sql_name(direct)}"
            )
            return select, event, name, (name,)
        link = _any_link(facts, name)
        if link:
            customer = sql_name(facts.joins.customer_columns[link.table])
            on = f"t.{sql_name(link.key)} = l.{sql_name(link.column)}"
            select = (
                f"SELECT l.{customer} AS customer_key, {moment} FROM {link.table} AS l "
                f"JOIN {name} AS t ON {on} GROUP BY l.{customer}"
            )
            return select, event, name, (link.table, name)
    return None


def _any_link(facts: _Facts, name: str) -> Pointer | None:
    links = facts.joins.customer_columns
    return next((one for one in facts.joins.pointers if one.parent == name and one.table in links), None)


def _set_latest_day(facts: _Facts, source: PlannedSource, table: RawTableSeen, bank: Bank) -> None:
    """Give rows without any time a day after all others, so that no snapshot sees them before the bank says more."""
    day = "2100-01-01"
    selected = source.select or f"SELECT t.* FROM {table.name} AS t"
    head, _, rest = selected.partition("\nFROM") if "\nFROM" in selected else selected.partition(" FROM")
    source.select = f"{head}, '{day}' AS known_on\nFROM{rest}"
    source.columns.append(
        PlannedColumn("known_on", "date", "time", "known_on", why=["no date was found: set this day"])
    )
    source.event_time, source.has_own_time = "known_on", False


def _ends_of_accounts(facts: _Facts, source: PlannedSource, table: RawTableSeen, bank: Bank) -> None:
    """A customer ends with the last account, where accounts end and each row is the account as it is."""
    name = next((raw for raw, called in facts.names.items() if called == "accounts"), "")
    direct = facts.joins.customer_columns.get(name, "")
    if not name or not facts.times[name].ends:
        return
    ended = facts.tables[name].columns[facts.times[name].ends]
    if facts.keys[name].versions and source.known_time and direct and not source.select:
        if _ends_of_versions(facts, source, table, name):
            return
    if facts.keys[name].versions or source.known_time or not direct or not sorts_as_written(ended):
        bank.questions.append(f"does a customer leave with the last {name}.{ended.raw}? Then give customers ends=.")
        return
    end = sortable(ended, "t")
    key = sql_name(facts.keys[table.name].columns[0])
    accounts = (
        f"SELECT t.{sql_name(direct)} AS customer_key, CASE WHEN COUNT(*) = COUNT({end}) THEN MAX({end}) END AS left_on "
        f"FROM {name} AS t GROUP BY t.{sql_name(direct)}"
    )
    selected = source.select or f"SELECT c.*\nFROM {table.name} AS c"
    source.select = (
        selected.replace("\nFROM", ", e.left_on\nFROM", 1)
        + f"\nLEFT JOIN (\n    {accounts}\n) AS e ON {_equal('e.customer_key', f'c.{key}', as_text=True)}"
    )
    source.reads |= {name: facts.tables[name].found.raw}
    why = f"the last {ended.raw} of a customer whose accounts have all ended"
    source.columns.append(PlannedColumn("left_on", ended.type, "time", "left_on", why=[why]))
    source.ends = "left_on"


def _ends_of_versions(facts: _Facts, source: PlannedSource, table: RawTableSeen, name: str) -> bool:
    """The same where both tables have a row for each version: the end is news, a version of the customer by itself.

    It is known when the last closing was; later versions keep it, earlier ones don't. False where its times do not
    sort as they are written.
    """
    accounts, times = facts.tables[name], facts.times[name]
    known, ended = accounts.columns[times.known], accounts.columns[times.ends]
    updated = next(column for column in source.columns if column.name == source.known_time)
    if known.format.formats or ended.format.formats or (updated.seen and updated.seen.format.formats):
        return False
    words = {
        "customer": sql_name(facts.keys[table.name].columns[0]),
        "held_by": sql_name(facts.joins.customer_columns[name]),
        "account": sql_name(facts.keys[name].columns[0]),
        "ended": sql_name(ended.raw),
        "known": sql_name(known.raw),
        "updated": sql_name(updated.raw),
        "people": table.name,
        "held": name,
    }
    source.select = _LAST_CLOSING.format(**words).strip()
    source.reads |= {name: accounts.found.raw}
    why = f"the last {ended.raw} of a customer whose accounts have all ended; news, known when the last closing was"
    source.columns.append(PlannedColumn("left_on", ended.type, "time", "left_on", why=[why]))
    source.columns.append(PlannedColumn("known_at", updated.type, "metadata", "known_at"))
    source.known_time, source.ends = "known_at", "left_on"
    return True


#: Customers whose accounts have all ended, as a new version of the row that was the newest then.
_LAST_CLOSING = """
WITH closings AS (
    SELECT {held_by} AS customer_key, MAX({ended}) AS left_on,
        MAX(CASE WHEN {ended} IS NOT NULL THEN {known} END) AS known_at
    FROM {held}
    GROUP BY {held_by}
    HAVING COUNT(DISTINCT {account}) = COUNT(DISTINCT CASE WHEN {ended} IS NOT NULL THEN {account} END)
),
newest_then AS (
    SELECT p.{customer} AS customer_key, MAX(p.{updated}) AS updated
    FROM {people} AS p
    JOIN closings AS c ON c.customer_key = p.{customer}
    WHERE p.{updated} < c.known_at
    GROUP BY p.{customer}
)
SELECT p.*, p.{updated} AS known_at, CASE WHEN p.{updated} >= c.known_at THEN c.left_on END AS left_on
FROM {people} AS p
LEFT JOIN closings AS c ON c.customer_key = p.{customer}
UNION ALL
SELECT p.*, c.known_at, c.left_on
FROM {people} AS p
JOIN newest_then AS n ON n.customer_key = p.{customer} AND n.updated = p.{updated}
JOIN closings AS c ON c.customer_key = p.{customer}
"""


def _equal(one: str, other: str, *, as_text: bool) -> str:
    return f"CAST({one} AS STRING) = CAST({other} AS STRING)" if as_text else f"{one} = {other}"


def _source(facts: _Facts, name: str, bank: Bank) -> PlannedSource | None:
    """A table's source, with its customer joined in where it leads to one."""
    table, key = facts.tables[name], facts.keys[name]
    if not key.columns:
        bank.questions.append(f"{name} is in no source, since it has no key.")
        return None
    source = _plain_source(facts, table, facts.names[name])
    _join_customer(facts, source, table, bank)
    if not source.event_time:
        bank.questions += facts.times[name].questions
        source.select = source.select or f"SELECT t.* FROM {name} AS t"
        _set_latest_day(facts, source, table, bank)
    else:
        bank.questions += facts.times[name].questions
    return source


def _join_customer(facts: _Facts, source: PlannedSource, table: RawTableSeen, bank: Bank) -> None:
    direct = facts.joins.customer_columns.get(table.name)
    if direct:
        column = next(one for one in source.columns if one.raw == direct)
        _rename(source, column, facts.customer_key)
        source.has_customer = True
        missing = table.rows - table.columns[direct].filled
        if missing:
            source.select = f"SELECT t.*\nFROM {table.name} AS t\nWHERE t.{sql_name(direct)} IS NOT NULL"
            source.why.append(f"{missing:,} of {table.rows:,} rows without {direct} are left out")
            bank.questions.append(f"{table.name}: whose are the rows without {direct}? {missing:,} are left out.")
        return
    pointer = facts.joins.from_table(table.name)
    route = facts.joins.route(pointer.parent) if pointer else None
    own = facts.joins.route(table.name) if not route else None
    if route and pointer:
        _join_by(facts, source, table, pointer.column, route, bank)
    elif own:
        _join_by(facts, source, table, facts.keys[table.name].columns[0], own, bank)


def _join_by(facts: _Facts, source: PlannedSource, table: RawTableSeen, column: str, route: Route, bank: Bank) -> None:
    as_text = len({type(facts.tables[name].found.raw) for name in (table.name, *route.reads)}) > 1
    source.select = (
        f"SELECT t.*, o.{sql_name(route.customer)}\nFROM {table.name} AS t\n"
        f"LEFT JOIN (\n    {route.select}\n) AS o ON {_equal(f'o.{sql_name(route.key)}', f't.{sql_name(column)}', as_text=as_text)}"
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
        bank.questions.append(route.question)


def _rename(source: PlannedSource, column: PlannedColumn, name: str) -> None:
    old, column.name, column.role = column.name, name, "key"
    source.key = tuple(name if one == old else one for one in source.key)

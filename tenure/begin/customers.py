"""Customers: the source with one row a customer, since when, and until when: by their table, or by what they did."""

from __future__ import annotations

from collections.abc import Mapping

from tenure.begin.facts import Facts, plain_source
from tenure.begin.keys import Pointer
from tenure.begin.planned import PlannedColumn, PlannedSource, equal_keys, set_latest_day
from tenure.begin.reasons import Reason
from tenure.begin.tables import RawColumn, RawTableSeen, sql_name
from tenure.begin.times import sortable, sorts_as_written


def customers_source(facts: Facts) -> PlannedSource:
    """Return the customers' source: their table, since their opening day; or whoever stands in another table."""
    if not facts.customer_table:
        return _customers_of_events(facts)
    table = facts.tables[facts.customer_table]
    source = plain_source(facts, table, "customers")
    source.has_customer = True
    times = facts.times[table.name]
    facts.questions += times.questions if times.event else ()
    event = table.columns.get(times.event)
    if event is None or event.filled < table.rows:
        _since_first_event(facts, source, table)
    if not source.ends:
        _ends_of_accounts(facts, source, table)
    return source


def _customers_of_events(facts: Facts) -> PlannedSource:
    """Where no table is of customers: whoever stands in the table that has the most, since the first row there."""
    holders = {name: raw for name, raw in facts.joins.customer_columns.items() if facts.times[name].event}
    if not holders:
        name, raw = next(iter(facts.joins.customer_columns.items()))
        table = facts.tables[name]
        source = plain_source(facts, table, "customers")
        source.key, source.key_why, source.has_customer = (table.columns[raw].name,), "its name says customer", True
        set_latest_day(source, table)
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
    facts.questions.append(
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


def _since_first_event(facts: Facts, source: PlannedSource, table: RawTableSeen) -> None:
    """Give customers without an opening day that of the first row of theirs in another table."""
    found = _first_rows(facts, table)
    if found is None:
        set_latest_day(source, table)
        return
    first_rows, event, of, reads = found
    key = sql_name(facts.keys[table.name].columns[0])
    source.select = (
        f"SELECT c.*, f.first_seen\nFROM {table.name} AS c\n"
        f"JOIN (\n    {first_rows}\n) AS f ON {equal_keys('f.customer_key', f'c.{key}', as_text=True)}"
    )
    source.reads |= {name: facts.tables[name].found.raw for name in reads}
    source.columns.append(
        PlannedColumn("first_seen", event.type, "time", "first_seen", why=[f"the least {event.raw} in {of}"])
    )
    source.event_time = "first_seen"
    facts.questions.append(
        f"{table.name} does not say since when one is a customer: since the first {event.raw} in {of}?"
    )


def _first_rows(facts: Facts, table: RawTableSeen) -> tuple[str, RawColumn, str, tuple[str, ...]] | None:
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


def _any_link(facts: Facts, name: str) -> Pointer | None:
    links = facts.joins.customer_columns
    return next((one for one in facts.joins.pointers if one.parent == name and one.table in links), None)


def _ends_of_accounts(facts: Facts, source: PlannedSource, table: RawTableSeen) -> None:
    """A customer ends with the last account, where accounts end and each row is the account as it is."""
    name = next((raw for raw, called in facts.names.items() if called == "accounts"), "")
    direct = facts.joins.customer_columns.get(name, "")
    if not name or not facts.times[name].ends:
        return
    ended = facts.tables[name].columns[facts.times[name].ends]
    by_version = facts.keys[name].versions and source.known_time and direct and not source.select
    if by_version and _ends_of_versions(facts, source, table, name):
        return
    if facts.keys[name].versions or source.known_time or not direct or not sorts_as_written(ended):
        facts.questions.append(f"does a customer leave with the last {name}.{ended.raw}? Then give customers ends=.")
        return
    end = sortable(ended, "t")
    key = sql_name(facts.keys[table.name].columns[0])
    all_ended = f"CASE WHEN COUNT(*) = COUNT({end}) THEN"
    reason = facts.times[name].reason
    ends, why, held = "e.left_on", "", name
    if reason:
        last = f"MAX({sortable(ended, 'a')}) OVER (PARTITION BY a.{sql_name(direct)}) AS last_end"
        held = f"(SELECT a.*, {last} FROM {name} AS a)"
        ends = "e.left_on, e.left_reason"
        of_last = f"MAX(CASE WHEN {end} = t.last_end THEN t.{sql_name(reason.raw)} END)"
        why = f", {all_ended} {of_last} END AS left_reason"
    accounts = (
        f"SELECT t.{sql_name(direct)} AS customer_key, {all_ended} MAX({end}) END AS left_on{why} "
        f"FROM {held} AS t GROUP BY t.{sql_name(direct)}"
    )
    selected = source.select or f"SELECT c.*\nFROM {table.name} AS c"
    source.select = (
        selected.replace("\nFROM", f", {ends}\nFROM", 1)
        + f"\nLEFT JOIN (\n    {accounts}\n) AS e ON {equal_keys('e.customer_key', f'c.{key}', as_text=True)}"
    )
    source.reads |= {name: facts.tables[name].found.raw}
    told = f"the last {ended.raw} of a customer whose accounts have all ended"
    source.columns.append(PlannedColumn("left_on", ended.type, "time", "left_on", why=[told]))
    _add_reason(source, facts.tables[name], reason)
    source.ends = "left_on"


def _add_reason(source: PlannedSource, accounts: RawTableSeen, reason: Reason | None) -> None:
    """Add the column that says why customers end: that of the account that ended last."""
    if reason:
        why = [f"{reason.raw} of the account that ended last; {reason.why}"]
        seen = accounts.columns[reason.raw]
        source.columns.append(
            PlannedColumn("left_reason", "string", "metadata", "left_reason", seen, reason=reason, why=why)
        )


def _ends_of_versions(facts: Facts, source: PlannedSource, table: RawTableSeen, name: str) -> bool:
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
    reason = times.reason
    of_reason = _words_of_reason(words, reason) if reason else dict.fromkeys(("reasons", "then", "always", "join"), "")
    source.select = _LAST_CLOSING.format(**words, **of_reason).strip()
    source.reads |= {name: accounts.found.raw}
    why = f"the last {ended.raw} of a customer whose accounts have all ended; news, known when the last closing was"
    source.columns.append(PlannedColumn("left_on", ended.type, "time", "left_on", why=[why]))
    _add_reason(source, accounts, reason)
    source.columns.append(PlannedColumn("known_at", updated.type, "metadata", "known_at"))
    source.known_time, source.ends = "known_at", "left_on"
    return True


def _words_of_reason(words: Mapping[str, str], reason: Reason) -> dict[str, str]:
    """What the reason of the account that ended last adds to `_LAST_CLOSING`, on the versions that tell of the end."""
    return {
        "reasons": _REASONS.format(**words, reason=sql_name(reason.raw)).strip() + "\n",
        "then": f",\n    CASE WHEN p.{words['updated']} >= c.known_at THEN r.left_reason END AS left_reason",
        "always": ", r.left_reason",
        "join": f"\nLEFT JOIN reasons AS r ON r.customer_key = p.{words['customer']}",
    }


_REASONS = """
reasons AS (
    SELECT c.customer_key, MAX(h.{reason}) AS left_reason
    FROM closings AS c
    JOIN {held} AS h ON h.{held_by} = c.customer_key AND h.{ended} = c.left_on
    GROUP BY c.customer_key
),
"""

#: Customers whose accounts have all ended, as a new version of the row that was the newest then.
_LAST_CLOSING = """
WITH closings AS (
    SELECT {held_by} AS customer_key, MAX({ended}) AS left_on,
        MAX(CASE WHEN {ended} IS NOT NULL THEN {known} END) AS known_at
    FROM {held}
    GROUP BY {held_by}
    HAVING COUNT(DISTINCT {account}) = COUNT(DISTINCT CASE WHEN {ended} IS NOT NULL THEN {account} END)
),
{reasons}newest_then AS (
    SELECT p.{customer} AS customer_key, MAX(p.{updated}) AS updated
    FROM {people} AS p
    JOIN closings AS c ON c.customer_key = p.{customer}
    WHERE p.{updated} < c.known_at
    GROUP BY p.{customer}
)
SELECT p.*, p.{updated} AS known_at, CASE WHEN p.{updated} >= c.known_at THEN c.left_on END AS left_on{then}
FROM {people} AS p
LEFT JOIN closings AS c ON c.customer_key = p.{customer}{join}
UNION ALL
SELECT p.*, c.known_at, c.left_on{always}
FROM {people} AS p
JOIN newest_then AS n ON n.customer_key = p.{customer} AND n.updated = p.{updated}
JOIN closings AS c ON c.customer_key = p.{customer}{join}
"""

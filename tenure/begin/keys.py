"""Keys: which columns tell the rows of a table apart, and which point at another table's rows; both are counted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from tenure.begin.tables import RawColumn, RawTableSeen, sql_name

#: The share of rows that a key has to tell apart where none tells all: the others are set aside.
_NEARLY = 0.999

#: The share of a column's values that have to be keys of the table that it points at.
_WITHIN = 0.95

#: So many columns are tried together, at most three at a time.
_TRIED = 6

_ID = re.compile(r"(.*_)?(id|key|no|nr|num|number|code|ref|guid|uuid|cislo|kod)")
_ENDS_IN_ID = re.compile(r"(?<!pa)(?<!val)(?<!vo)(?<!rap)(?<!gr)id$|nr$|nummer$|number$")
_SUFFIX = re.compile(r"_?(id|key|no|nr|num|nummer|number|code|ref|guid|uuid|cislo|kod)$")

#: When the bank wrote a row, by the name of a column.
KNOWN = re.compile(
    r"updated|modified|recorded|loaded|known|inserted|ingest|extract|load_|etl|dwh|changed|written|received|processed"
)

#: Words for a customer in a name.
CUSTOMER = re.compile(r"customer|client|cust(?!od)|kund|klient|cliente|member|person|party|people|subscriber|holder")


@dataclass(frozen=True)
class Key:
    """The columns, in their raw spelling, that tell a table's rows apart; `versions` is the time of rows of one key."""

    columns: tuple[str, ...] = ()
    why: str = ""
    versions: str = ""
    rivals: int = 0
    question: str = ""


@dataclass(frozen=True)
class Pointer:
    """A column of `table` whose values are keys of `parent`."""

    table: str
    column: str
    parent: str
    key: str
    why: str


def key_of(table: RawTableSeen, where: str = "") -> Key:
    """Return a table's key, counted over the rows that meet `where`."""
    if not table.rows:
        return Key(question=f"{table.name} has no rows: which columns are its key?")
    rows = table.rows if not where else table.count(f"SELECT COUNT(*) AS n FROM {table.relation} WHERE {where}")["n"]
    counted = [(column, table.different([column.raw], where)) for column in _may_be_keys(table, rows)]
    single = [column for column, different in counted if different == rows]
    if single:
        return Key((_best(table, single).raw,), f"unique in {rows:,} of {rows:,} rows")
    different = table.different((), where)
    if different < rows:
        # Rows exactly like others count once.
        single = [column for column, count in counted if count == different]
        if single:
            return Key((_best(table, single).raw,), f"unique in {different:,} of {different:,} rows that differ")
    return _of_versions(table, different, where) or _of_several(table, different, where)


def _may_be_keys(table: RawTableSeen, rows: int) -> Iterator[RawColumn]:
    for column in table.columns.values():
        # The count of different values is an estimate, some per cent off; a key of rows that stand twice has half.
        if column.may_be_key and column.filled >= rows and column.different >= 0.4 * rows:
            yield column


def _best(table: RawTableSeen, columns: Sequence[RawColumn]) -> RawColumn:
    order = list(table.columns)
    return min(columns, key=lambda c: (not names_row_of(c.name, table.name), not is_id(c.name), order.index(c.raw)))


def is_id(name: str) -> bool:
    """Whether a name is an identifier's."""
    return _ID.fullmatch(name) is not None or _ENDS_IN_ID.search(name) is not None


def stem(name: str) -> str:
    """Return an identifier's name without its 'id'."""
    return _SUFFIX.sub("", name) or name


def names_row_of(name: str, table: str) -> bool:
    """Whether a column's name says that it identifies the rows of a table: account_id of accounts, id of any."""
    plain = stem(name)
    if name in ("id", "key", "code", "no", "nr"):
        return True
    singular = table.removesuffix("_rows").rstrip("s")
    whose = CUSTOMER.search(plain) and CUSTOMER.search(table)
    return bool(is_id(name) and (singular.startswith(plain) or plain.startswith(singular) or whose))


def _of_versions(table: RawTableSeen, rows: int, where: str) -> Key | None:
    """The key of a table that has a row for each version: an identifier, unique together with when it was written."""
    ids = [c for c in table.columns.values() if c.may_be_key and c.filled >= table.rows and is_id(c.name)]
    own = [c for c in ids if names_row_of(c.name, table.name)]
    times = [c for c in table.columns.values() if c.format.is_time and KNOWN.search(c.name) and c.filled >= table.rows]
    for column in own:
        for time in times:
            if table.different([column.raw, time.raw], where) == rows:
                keys = table.different([column.raw], where)
                why = f"unique together with {time.name} in {rows:,} rows: versions of {keys:,} keys"
                return Key((column.raw,), why, versions=time.raw)
    return None


def _of_several(table: RawTableSeen, rows: int, where: str) -> Key:
    """The fewest columns that tell all rows apart, else nearly all."""
    tried = sorted(_parts(table, where), key=_rank)[:_TRIED]
    nearly: tuple[str, ...] = ()
    most = 0
    for size in (2, 3):
        for columns in combinations(tried, size):
            raws = tuple(column.raw for column in columns)
            different = table.different(raws, where)
            if different == rows:
                return Key(raws, f"unique together in {rows:,} of {rows:,} rows that differ")
            if different > most and different >= _NEARLY * rows:
                nearly, most = raws, different
        if nearly:
            break
    if not nearly:
        return Key(question=f"{table.name}: which columns are its key? No one, two or three of them are unique.")
    why = f"unique together in {most:,} of {rows:,} rows that differ; the others are set aside"
    question = f"{table.name}: what tells its rows apart? {' and '.join(nearly)} do for all but {rows - most:,} rows."
    return Key(nearly, why, rivals=rows - most, question=question)


def _parts(table: RawTableSeen, where: str) -> Iterable[RawColumn]:
    full = ", ".join(f"COUNT({sql_name(raw)}) AS n_{n}" for n, raw in enumerate(table.columns))
    counts = table.count(f"SELECT COUNT(*) AS n, {full} FROM {table.relation}{f' WHERE {where}' if where else ''}")
    for n, column in enumerate(table.columns.values()):
        usable = column.format.type in ("integer", "string", "date", "timestamp") and not column.personal
        if usable and counts[f"n_{n}"] == counts["n"]:
            yield column


def _rank(column: RawColumn) -> tuple[bool, bool, bool]:
    return (not is_id(column.name), not column.format.is_time, column.type != "integer")


def pointers(tables: Sequence[RawTableSeen], keys: dict[str, Key]) -> tuple[list[Pointer], list[str]]:
    """Return the columns that point at other tables' keys, and questions of those that nearly do."""
    found, questions = [], []
    for table in tables:
        for column in table.columns.values():
            if not column.may_be_key or not column.filled or column.raw in own_key(keys[table.name]):
                continue
            for parent in tables:
                pointer, question = _pointer(table, column, parent, keys[parent.name])
                found += [pointer] if pointer else []
                questions += [question] if question else []
    return found, questions


def own_key(key: Key) -> tuple[str, ...]:
    """Return the column of a key of one column, none of a key of several."""
    return key.columns if len(key.columns) == 1 else ()


def _pointer(table: RawTableSeen, column: RawColumn, parent: RawTableSeen, key: Key) -> tuple[Pointer | None, str]:
    if parent is table or len(key.columns) != 1:
        return None, ""
    target = parent.columns[key.columns[0]]
    if target.type != column.type or not _names_match(column.name, target.name, parent.name):
        return None, ""
    within, different = _inclusion(table, column, parent, target)
    where = f"{parent.name}.{target.raw}"
    if within >= _WITHIN * different:
        why = f"{within:,} of {different:,} values are in {where}"
        return Pointer(table.name, column.raw, parent.name, target.raw, why), ""
    return None, f"does {table.name}.{column.raw} point at {where}? {within:,} of its {different:,} values are there."


def _names_match(name: str, key: str, parent: str) -> bool:
    if name == key and name != "id":
        return True
    both_customers = CUSTOMER.search(name) and CUSTOMER.search(key)
    return is_id(name) and (bool(both_customers) or (names_row_of(name, parent) and name != "id"))


def _inclusion(table: RawTableSeen, column: RawColumn, parent: RawTableSeen, target: RawColumn) -> tuple[int, int]:
    """How many of a column's different values are among a key's, and how many it has."""
    mine, its = (_comparable(one) for one in (column, target))
    counted = table.count(
        f"SELECT COUNT(*) AS n, COUNT(p.v) AS within FROM (SELECT DISTINCT {mine} AS v FROM {table.relation} "
        f"WHERE {sql_name(column.raw)} IS NOT NULL) AS c "
        f"LEFT JOIN (SELECT DISTINCT {its} AS v FROM {parent.relation}) AS p ON p.v = c.v"
    )
    return counted["within"], counted["n"]


def _comparable(column: RawColumn) -> str:
    name = sql_name(column.raw)
    if column.type == "integer":
        return f"TRY_CAST({name} AS BIGINT)"
    return f"TRIM(CAST({name} AS VARCHAR))"

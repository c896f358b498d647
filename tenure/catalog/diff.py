"""What changed from one version of a table to another: rows by key, cells by column, and the largest changes.

Both versions are read in the engine. A file that both of them name holds the same rows in both, and is not compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tenure.catalog.column_facts import Facts, facts_of, kind_of, spread_of
from tenure.catalog.versions import stored_table, stored_version
from tenure.define.contract_base import Contract
from tenure.engines import open_engine
from tenure.engines.base import Engine
from tenure.errors import StoreError, choices
from tenure.faults.redact import shown
from tenure.session.work import Work
from tenure.store.table import TableVersion
from tenure.tables.version_diff import AFTER, BEFORE, Compared, Pairing

#: How many of the largest changes are shown.
MOST_CHANGES = 10


@dataclass(frozen=True)
class ColumnDiff:
    """How a column differs: cells changed in rows of both versions, and what it holds in each.

    A type is '' in a version that lacks the column. Of personal columns there is the count of cells alone.
    """

    name: str
    type_before: str
    type_after: str
    cells_changed: int = 0
    before: Facts | None = None
    after: Facts | None = None

    @property
    def differs(self) -> bool:
        """Whether there is anything to say of it."""
        return bool(self.cells_changed) or self.type_before != self.type_after or self.before != self.after


@dataclass(frozen=True)
class Change:
    """One cell that changed: whose, in which column, from what to what, and by how many standard deviations.

    The size is None of what has none: a text, or a value that came or went.
    """

    key: Mapping[str, str]
    column: str
    before: str | None
    after: str | None
    size: float | None


@dataclass(frozen=True, kw_only=True)
class TableDiff:
    """Two versions of a table compared: rows by key, columns, and the largest changes, the largest first."""

    table: str
    before: int
    after: int
    keys: tuple[str, ...]
    rows_before: int
    rows_after: int
    added: int
    removed: int
    changed: int
    columns: tuple[ColumnDiff, ...]
    largest: tuple[Change, ...]

    @property
    def same(self) -> int:
        """The rows that are in both versions with the same cells."""
        return self.rows_after - self.added - self.changed

    @property
    def cells_changed(self) -> int:
        """The cells that changed in rows of both versions."""
        return sum(column.cells_changed for column in self.columns)


def diff(work: Work, table: str, before: int, after: int, *, tolerance: float = 0.0) -> TableDiff:
    """Return what changed in a table from version `before` to version `after`, in rows matched by its contract's key.

    Floats are equal if their bits are, or if they differ by `tolerance` at most. Raises MissingTable; StoreError for a
    version that is not there, or a table whose rows no key matches.
    """
    name = stored_table(work, table)
    old, new = stored_version(work, name, before), stored_version(work, name, after)
    contract = _keyed(work, name, old, new)
    engine = open_engine(work.engine_settings("duckdb"))
    try:
        return _compared(engine, contract, old, new, tolerance)
    finally:
        engine.close()


def _keyed(work: Work, name: str, old: TableVersion, new: TableVersion) -> Contract:
    """The contract of a table whose rows can be matched by key in both versions."""
    contract = work.contracts.get(name)
    if contract is None or not contract.keys:
        known = [place for place in work.lake.tables() if place in work.contracts and work.contracts[place].keys]
        raise StoreError(
            f"table '{name}' has no key by which the rows of two versions could be matched; tables that have one: "
            f"{choices(known, 40) or 'none'}.",
            hint=f"See the rows of a version with 'tenure show {name} --version {old.version}'.",
        )
    for version in (old, new):
        lacking = [key for key in contract.keys if key not in version.schema.names]
        if lacking:
            raise StoreError(
                f"version {version.version} of table '{name}' lacks '{lacking[0]}', a part of the key "
                f"({', '.join(contract.keys)}); columns: {choices(version.schema.names, 30)}.",
                hint=f"See which versions there are with 'tenure history {name}'.",
            )
    return contract


def _compared(engine: Engine, contract: Contract, old: TableVersion, new: TableVersion, tolerance: float) -> TableDiff:
    pairing = Pairing(contract.keys, _columns(contract, old.schema, new.schema), tolerance)
    facts = _facts(engine, contract, old, new)
    shared = {*old.files} & {*new.files}
    for relation, version in ((BEFORE, old), (AFTER, new)):
        own = tuple(file for file in version.files if file not in shared)
        engine.scan(relation, own, version.schema, version.partition_by)
        _require_unique(engine, pairing, relation, version)
    counts = engine.run(pairing.counts().text).to_pylist()[0]
    return TableDiff(
        table=new.table,
        before=old.version,
        after=new.version,
        keys=contract.keys,
        rows_before=old.rows,
        rows_after=new.rows,
        added=counts["rows_added"],
        removed=counts["rows_removed"],
        changed=counts["rows_changed"],
        columns=tuple(_column_diffs(pairing, counts, facts, old.schema, new.schema)),
        largest=tuple(_largest(engine, contract, pairing, counts, facts)),
    )


#: What the columns of both versions hold, each by name: the older version's first.
_BothFacts = tuple[dict[str, Facts], dict[str, Facts]]


def _columns(contract: Contract, old: pa.Schema, new: pa.Schema) -> list[Compared]:
    """The columns of both versions that are no part of the key."""
    found = []
    for name in old.names:
        if name in contract.keys or name not in new.names:
            continue
        before, after = old.field(name).type, new.field(name).type
        kinds = {kind_of(before), kind_of(after)}
        are_numbers = kinds <= {"float", "number"}
        kind = "float" if "float" in kinds and are_numbers else kind_of(after)
        found.append(Compared(name, kind, as_text=before != after and not are_numbers))
    return found


def _facts(engine: Engine, contract: Contract, old: TableVersion, new: TableVersion) -> _BothFacts:
    """What the columns that are neither personal nor part of the key hold in each version."""
    hidden = {*contract.personal, *contract.keys}

    def of_version(version: TableVersion, relation: str) -> dict[str, Facts]:
        return facts_of(engine, version, [name for name in version.schema.names if name not in hidden], relation)

    return of_version(old, BEFORE), of_version(new, AFTER)


def _require_unique(engine: Engine, pairing: Pairing, relation: str, version: TableVersion) -> None:
    """Raise StoreError for a version whose rows the key does not tell apart: older definitions had another one."""
    repeated = engine.run(pairing.repeated(relation).text).to_pylist()[0]["keys_repeated"]
    if repeated:
        raise StoreError(
            f"version {version.version} of table '{version.table}' has {repeated:,} keys ({', '.join(pairing.keys)}) "
            "in more than one row, so its rows can't be matched.",
            hint="The key is that of today's definitions; compare versions that were made with them.",
        )


def _column_diffs(
    pairing: Pairing, counts: Mapping[str, int], facts: _BothFacts, old: pa.Schema, new: pa.Schema
) -> list[ColumnDiff]:
    changed = {column.name: counts[f"cells_{place}"] for place, column in enumerate(pairing.columns)}
    found = []
    for name in dict.fromkeys([*new.names, *old.names]):
        if name not in pairing.keys:
            before, after = facts[0].get(name), facts[1].get(name)
            found.append(ColumnDiff(name, _type(old, name), _type(new, name), changed.get(name, 0), before, after))
    return found


def _type(schema: pa.Schema, name: str) -> str:
    return str(schema.field(name).type) if name in schema.names else ""


def _largest(
    engine: Engine, contract: Contract, pairing: Pairing, counts: Mapping[str, int], facts: _BothFacts
) -> list[Change]:
    """The largest changes; a personal column's values are nobody's business, and its sizes would tell of them."""
    columns = pairing.columns
    places = [
        place
        for place, column in enumerate(columns)
        if counts[f"cells_{place}"] and column.name not in contract.personal
    ]
    if not places:
        return []
    spreads = [spread_of(side[column.name] for side in facts if column.name in side) for column in columns]
    found = engine.run(pairing.largest(spreads, places, MOST_CHANGES).text).to_pylist()
    return [_change(row, contract, columns) for row in found]


def _change(row: Mapping[str, Any], contract: Contract, columns: Sequence[Compared]) -> Change:
    key = {
        name: shown(row[f"key_{place}"], personal=name in contract.personal) for place, name in enumerate(contract.keys)
    }
    return Change(key, columns[row["place"]].name, row["cell_before"], row["cell_after"], row["size"])

"""Arrivals: on which days the rows of each staged source began and stopped to count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from tenure.checks.in_memory import schema_of
from tenure.define.source import Source
from tenure.define.table_contracts import FIXED
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Work
from tenure.store.table import TableVersion
from tenure.tables import arrivals as arrivals_table
from tenure.tables.completeness import NOW, REMOVED

ARRIVALS = FIXED["arrivals"]
_COLUMNS = schema_of(ARRIVALS)

#: The digests of a day.
_DIGESTS = ("arrived", "tiled", "replaced")

#: Days as the table has them, each to be added (+1) or taken away (-1).
Changes: TypeAlias = Sequence[tuple[int, Mapping[str, Any]]]


def note_arrivals(work: Work) -> None:
    """Note, of each source staged anew, on which days its rows began and stopped to count."""
    noted = work.lake.read("arrivals") if work.lake.find("arrivals") else _COLUMNS.empty_table()
    versions = {name: work.require(name) for name in work.project.sources}
    known = {(row["source"], row["fingerprint"]) for row in noted.select(["source", "fingerprint"]).to_pylist()}
    fresh = [name for name, version in versions.items() if (name, version.fingerprint) not in known]
    if not fresh and len({name for name, _ in known}) == len(versions):
        return
    tables = []
    for name, version in versions.items():
        if name not in fresh:
            of_version = pc.equal(noted["fingerprint"], version.fingerprint)
            tables.append(noted.filter(pc.and_(pc.equal(noted["source"], name), of_version)))
    tables += [_arrivals_of(work, name, versions[name].fingerprint) for name in fresh]
    digest = fingerprint(version.fingerprint for version in versions.values())
    work.lake.write(pa.concat_tables(tables), ARRIVALS, fingerprint=digest)


def changes(work: Work, source: Source) -> Changes:
    """Return the days of the rows that are about to be staged, relation `checked`, and of those whose place they
    take, each with +1 or -1.
    """
    found = []
    for relation, sign in ((NOW, 1), (REMOVED, -1)):
        days = work.engine.run(arrivals_table.arrivals(source, work.dialect, relation).text)
        found += [(sign, row) for row in days.to_pylist()]
    return found


def note_changes(work: Work, source: Source, before: str, version: TableVersion, changed: Changes) -> None:
    """Note the days of a version that differs in some rows from the one with the fingerprint `before`.

    Digests are of XORs: what is taken away, and what comes, is XORed into those that are noted.
    """
    if work.lake.find("arrivals") is None:
        return
    noted = work.lake.read("arrivals")
    is_of_source = pc.equal(noted["source"], source.name)
    known = noted.filter(pc.and_(is_of_source, pc.equal(noted["fingerprint"], before)))
    if not known.num_rows:
        return
    days = {row["day_start"]: _Day.of(row) for row in known.to_pylist()}
    for sign, row in changed:
        day = row["day_start"]
        days[day] = days.get(day, _Day()).with_(_Day.of(row), sign)
    rows = [
        {"source": source.name, "fingerprint": version.fingerprint, "day_start": day} | found.row
        for day, found in sorted(days.items())
        if found.rows or found.replaced
    ]
    of_others = noted.filter(pc.invert(is_of_source))
    table = pa.concat_tables([of_others, pa.Table.from_pylist(rows, schema=_COLUMNS)])
    work.lake.write(table, ARRIVALS, fingerprint=fingerprint([version.fingerprint, "added"]))


@dataclass(frozen=True)
class _Day:
    """What began and stopped to count on a day, digests as numbers, 0 of nothing."""

    rows: int = 0
    arrived: int = 0
    tiled: int = 0
    replaced: int = 0

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> _Day:
        return cls(row["rows"], *(int(row[name] or 0) for name in _DIGESTS))

    def with_(self, other: _Day, sign: int) -> _Day:
        digests = (getattr(self, name) ^ getattr(other, name) for name in _DIGESTS)
        return _Day(self.rows + sign * other.rows, *digests)

    @property
    def row(self) -> dict[str, Any]:
        digests = {name: getattr(self, name) for name in _DIGESTS}
        return {"rows": self.rows} | {name: str(value) if value else None for name, value in digests.items()}


def _arrivals_of(work: Work, name: str, digest: str) -> pa.Table:
    """The days of one source as the table keeps them, each with the source and its version's fingerprint."""
    work.scan([name])
    days = work.engine.run(arrivals_table.arrivals(work.project.sources[name], work.dialect).text)
    for column, value in (("source", name), ("fingerprint", digest)):
        days = days.append_column(column, pa.repeat(value, days.num_rows))
    return days.select(_COLUMNS.names).cast(_COLUMNS)

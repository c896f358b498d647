"""Arrivals: on which days the rows of each staged source began and stopped to count."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tenure.checks.in_memory import schema_of
from tenure.define.table_contracts import FIXED
from tenure.session.work import Work, fingerprint
from tenure.tables import arrivals as arrivals_table

ARRIVALS = FIXED["arrivals"]
_COLUMNS = schema_of(ARRIVALS)


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


def _arrivals_of(work: Work, name: str, digest: str) -> pa.Table:
    """The days of one source as the table keeps them, each with the source and its version's fingerprint."""
    work.scan([name])
    days = work.engine.run(arrivals_table.arrivals(work.project.sources[name], work.dialect).text)
    for column, value in (("source", name), ("fingerprint", digest)):
        days = days.append_column(column, pa.repeat(value, days.num_rows))
    return days.select(_COLUMNS.names).cast(_COLUMNS)

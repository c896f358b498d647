"""Arrivals: on which days the rows of each staged source began and stopped to count."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tenure.checks.rows import schema_of
from tenure.define.contracts import FIXED
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
    stay = [
        pc.and_(pc.equal(noted["source"], n), pc.equal(noted["fingerprint"], v.fingerprint))
        for n, v in versions.items()
        if n not in fresh
    ]
    tables = [noted.filter(those) for those in stay]
    for name in fresh:
        work.scan([name])
        days = work.engine.run(arrivals_table.arrivals(work.project.sources[name], work.dialect).text)
        same = {"source": name, "fingerprint": versions[name].fingerprint}
        columns = [pa.repeat(same[f.name], days.num_rows) if f.name in same else days[f.name] for f in _COLUMNS]
        tables.append(pa.table(columns, names=_COLUMNS.names).cast(_COLUMNS))
    digest = fingerprint(version.fingerprint for version in versions.values())
    work.lake.write(pa.concat_tables(tables), ARRIVALS, fingerprint=digest)

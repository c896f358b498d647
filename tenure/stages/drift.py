"""The stage `drift`: each snapshot's features profiled once, and held against the snapshots before it.

features ─► snapshots not profiled yet ─► snapshot_profiles ─► findings ─► drift
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date

import pyarrow as pa

from tenure.catalog.drift import drifted
from tenure.checks.drift_findings import DriftFinding, Profile, findings
from tenure.checks.in_memory import schema_of
from tenure.define.personal import personal_cells
from tenure.define.table_contracts import FIXED
from tenure.insight.column_profile import columns_at_once, kind_of
from tenure.insight.profile_rows import Row, Subject
from tenure.insight.snapshot_profiles import profile_of_row, profile_row, profiles
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Outcome, Work
from tenure.store.rows import read_batches
from tenure.store.table import TableVersion, partition_values

PROFILES, DRIFT = "snapshot_profiles", "drift"

#: What a profile, and what a finding means: raise it where another Tenure computes other ones.
_PROFILED, _JUDGED = 1, 1

#: Rows read at a time.
_BATCH = 65_536


def drift(work: Work) -> Outcome:
    """Profile the snapshots that are new, judge each by those before it, and say what has moved at the newest.

    A profile is taken anew only where the features of its snapshot were computed anew. No alarm stops a run.
    """
    outcome, features = Outcome(), work.require("features")
    subjects = _subjects(work, features)
    digests = _digests_of(features, subjects)
    a_year = work.config.drift.false_alarms_a_year
    profiled = fingerprint([_PROFILED, *sorted(digests.items())])
    judged = fingerprint([_JUDGED, profiled, a_year])
    if not work.find_current([PROFILES], profiled, outcome):
        _keep(work, PROFILES, _profiled(work, features, subjects, digests), profiled, outcome)
    if not work.find_current([DRIFT], judged, outcome):
        found = findings(_by_snapshot(_stored(work, PROFILES)), a_year)
        _keep(work, DRIFT, _rows_of(found), judged, outcome)
    outcome.rows, outcome.message = work.require(DRIFT).rows, drifted(work)[0].words
    return outcome


def _subjects(work: Work, features: TableVersion) -> dict[str, Subject]:
    """The feature columns that have a profile; of those made of personal columns no value is kept."""
    personal = personal_cells(work.project)
    found = {}
    for name, described in work.project.described_columns.items():
        kind = kind_of(features.schema.field(name).type) if name in features.schema.names else None
        if kind:
            found[name] = Subject("features", name, kind, described.text, described.unit, name in personal)
    return found


def _digests_of(features: TableVersion, subjects: Mapping[str, Subject]) -> dict[str, str]:
    """What the profile of each snapshot is made of: its files, whose names hold their digests, and the columns."""
    files: dict[str, list[str]] = {}
    for file in features.files:
        value = partition_values(file, features.partition_by)["snapshot_date"]
        files.setdefault(str(value), []).append(file.name)
    columns = [(subject.name, subject.kind, subject.personal) for subject in subjects.values()]
    return {day: fingerprint([_PROFILED, *sorted(names), *columns]) for day, names in sorted(files.items())}


def _profiled(
    work: Work, features: TableVersion, subjects: Mapping[str, Subject], digests: Mapping[str, str]
) -> dict[date, list[Row]]:
    """The rows of each snapshot's profiles: those stored, and of the snapshots that are due as they are read now."""
    stored = _stored(work, PROFILES)
    found: dict[date, list[Row]] = {}
    for done, (day, digest) in enumerate(digests.items()):
        snapshot_date = date.fromisoformat(day)
        known = stored.get(snapshot_date, [])
        if known and known[0]["digest"] == digest:
            found[snapshot_date] = known
            continue
        work.progress.of("snapshots", done, len(digests), features.rows)
        read = _read(features, day, subjects)
        found[snapshot_date] = [profile_row(snapshot_date, name, profile, digest) for name, profile in read.items()]
    return found


def _read(features: TableVersion, day: str, subjects: Mapping[str, Subject]) -> dict[str, Profile]:
    """The profiles of one snapshot, as many columns at once as fit into memory."""
    part = replace(features, files=features.files_of([day]))
    found: dict[str, Profile] = {}
    for some in columns_at_once(features.rows, list(subjects)):
        found |= profiles({name: subjects[name] for name in some}, read_batches(part, some, _BATCH))
    return found


def _by_snapshot(rows: Mapping[date, Sequence[Row]]) -> dict[date, dict[str, Profile]]:
    return {day: {row["column_name"]: profile_of_row(row) for row in part} for day, part in rows.items()}


def _rows_of(found: Sequence[DriftFinding]) -> dict[date, list[Row]]:
    """Findings as rows of the table, by snapshot."""
    rows: dict[date, list[Row]] = {}
    for one in found:
        rows.setdefault(one.snapshot_date, []).append(asdict(one))
    return rows


def _stored(work: Work, table: str) -> dict[date, list[Row]]:
    """The rows of a table of ours by snapshot; none if it is not there."""
    found: dict[date, list[Row]] = {}
    if work.lake.find(table) is not None:
        for row in work.read(table).to_pylist():
            found.setdefault(row["snapshot_date"], []).append(row)
    return found


def _keep(work: Work, table: str, rows: Mapping[date, Sequence[Row]], digest: str, outcome: Outcome) -> None:
    """Commit the snapshots whose rows are new or others than those stored, each by itself; all at once if all are."""
    schema, stored = schema_of(FIXED[table]), _stored(work, table)
    due = [day for day, part in rows.items() if _in_order(stored.get(day, [])) != _in_order(part)]
    if len(due) == len(rows) or not stored.keys() <= rows.keys():
        every = [row for part in rows.values() for row in part]
        work.keep(table, pa.Table.from_pylist(every, schema=schema), digest, outcome)
        return
    # Without a snapshot to write, one is written as it is: the commit bears what the table is made of now.
    for day in due or list(rows)[-1:]:
        part = pa.Table.from_pylist(list(rows[day]), schema=schema)
        work.keep(table, part, digest, outcome, partition={"snapshot_date": day})


def _in_order(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["column_name"], row["kind"]))

"""New files: a source whose files only became more is staged by reading those alone, where that gives the same rows.

```
last time      bookings-01.parquet  bookings-02.parquet                          contents noted in table intake
now            bookings-01.parquet  bookings-02.parquet  bookings-03.parquet
read                                                     ···················
written        the new rows, and the files with rows whose next version is new; all others stay as they are
```
Where it can't be told that the rows would be the same, the source is read whole; `why_whole` says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenure.define.contract_base import CheckResult
from tenure.define.source import Source
from tenure.errors import TenureError
from tenure.intake import completeness, joined_tables, quality
from tenure.intake.arrivals import Changes, changes, note_changes
from tenure.intake.facts import definition_of
from tenure.intake.joined_tables import JoinLosses
from tenure.intake.readers import FileDigests, Readers, are_near, land, named_files, reader_class, readers_of
from tenure.intake.typed_rows import TypedRows, type_rows
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Work
from tenure.sql.row_wise import RowWise, row_wise
from tenure.storage.location import Location
from tenure.store.table import TableVersion
from tenure.tables import new_rows
from tenure.tables import staging as staging_table

#: About so many rows go into a file: a correction has its whole file written again.
ROWS_PER_FILE = 500_000

_RELATIONS = (
    new_rows.VERSIONS,
    new_rows.MET,
    new_rows.NEW,
    staging_table.TYPED,
    staging_table.REPEATED,
    staging_table.CLAIMS,
)


@dataclass(frozen=True)
class Added:
    """What new files added to a source's staged rows."""

    before: TableVersion
    version: TableVersion
    checks: Sequence[CheckResult]
    extract: completeness.Extract
    read: TypedRows
    losses: JoinLosses

    @property
    def staged(self) -> int:
        """How many rows the new files added."""
        return self.extract.rows - self.extract.rows_before


def contents(work: Work, source: Source, files: FileDigests, shape: str) -> str:
    """Return, as JSON, what staged rows are made of: engine and definition, their raw tables' columns, digests of the
    files, and the tables that are joined, which are kept. The raw tables are relations.

    A file's name may hold a person's: it is kept as its digest.
    """
    select = _row_wise(work, source)
    is_of_files = files.keys() == source.raws.keys()
    # A joined table may hold forgotten customers, whom its own rows don't tell: then none is kept.
    is_kept = select is not None and is_of_files and not work.lake.refused()
    joined = joined_tables.keep(work, source, files, select) if select is not None and is_kept else {}
    return json.dumps({"made_by": _made_by(work, source), "shape": shape, "files": files, "joined": joined})


def _made_by(work: Work, source: Source) -> str:
    return fingerprint([work.dialect, definition_of(work, source)])


def in_words(work: Work, source: Source, files: FileDigests, facts: Mapping[str, Any]) -> str:
    """Return what of a source is to be read: "1 new file of 13 is read", or why it is read whole."""
    why = why_whole(work, source, files, facts)
    if why:
        return f"read whole: {why}"
    now = sum(map(len, files.values()))
    more = now - sum(map(len, json.loads(facts["contents"])["files"].values()))
    return f"{more:,} new {'file' if more == 1 else 'files'} of {now:,} {'is' if more == 1 else 'are'} read"


def why_whole(work: Work, source: Source, files: FileDigests, facts: Mapping[str, Any]) -> str:
    """Return why a source is read whole, '' if its new files alone are: what is known before anything is read."""
    stored = work.lake.find(f"staging/{source.name}")
    known = json.loads(facts.get("contents") or "{}")
    if stored is None or not known:
        return "not staged yet"
    if stored.fingerprint != facts["fingerprint"]:
        return "staged by a run that did not end"
    if known["made_by"] != _made_by(work, source):
        return "its definition or the engine changed"
    if source.is_captured or source.name == work.project.entity.source:
        return "each of its rows is compared with the extract before"
    if any(reader_class(raw).asks_a_server and not raw.append_only for raw in source.raws.values()):
        return "a server is asked"
    select = _row_wise(work, source)
    if select is None:
        return "its select looks at several rows at once"
    before = known["files"]
    if any(file not in files[select.grows] for file in before[select.grows]):
        return "a file that was read before changed or is gone"
    if len(files[select.grows]) == len(before[select.grows]):
        return "no file is new"
    changed = [name for name in files if name != select.grows and files[name] != before[name]]
    if changed and not joined_tables.are_kept(work, source, select, known["joined"], changed):
        return f"'{changed[0]}' changed, and which rows that changes can't be told"
    return ""


def _row_wise(work: Work, source: Source) -> RowWise | None:
    """How the rows of a source are those of its files, one file after the other; None if they are not."""
    if source.is_captured:
        return None
    if source.select:
        return row_wise(source.select, work.dialect)
    (name,) = source.raws
    return RowWise(name, name)


def stage_new_files(
    work: Work, source: Source, files: FileDigests, digest: str, facts: Mapping[str, Any]
) -> Added | None:
    """Stage the rows of a source's new files beside those that are there; None if it must be read whole.

    So it must where a new row is bad, where new rows claim a key of other rows, or where the new files have other
    columns: what is then to be said is said of the whole.
    """
    if why_whole(work, source, files, facts):
        return None
    try:
        return _stage(work, source, files, digest, facts)
    finally:
        for relation in _RELATIONS:
            work.engine.release(relation)


def _stage(work: Work, source: Source, files: FileDigests, digest: str, facts: Mapping[str, Any]) -> Added | None:
    try:
        if _are_joined_otherwise(work, source, files, facts):
            return None
        readers = _some_files(work, source, files, facts, new=True)
        read = type_rows(work, source, land(readers), words=named_files(readers), are_near=are_near(readers))
    except TenureError:
        return None
    losses = joined_tables.losses(work, source)
    known = JoinLosses(facts["rows_joined"], facts["rows_dropped"], facts["rows_multiplied"])
    if (known + losses).dropped > source.unmatched * (known + losses).rows:
        return None
    if read.reasons or read.shape != json.loads(facts["contents"])["shape"] or not _is_alone(work, source):
        return None
    before = work.require(source.name)
    if _is_claimed(work, source, before, _met(work, source, before)):
        return None
    again = _changed(work, source, before)
    _scan_files(work, new_rows.AGAIN, before, again)
    extracts: list[completeness.Extract] = []
    changed: list[Changes] = []

    def compare() -> None:
        extracts.append(completeness.compare_added(work, source))
        changed.append(changes(work, source))

    version, checks = work.write(
        new_rows.written(work.project, source),
        before.table,
        digest,
        in_place_of=again,
        rows_per_file=ROWS_PER_FILE,
        proof=quality.proof(work, source, compare, added=True),
    )
    note_changes(work, source, before.fingerprint, version, changed[0])
    return Added(before, version, checks, extracts[0], read, losses)


def _are_joined_otherwise(work: Work, source: Source, files: FileDigests, facts: Mapping[str, Any]) -> bool:
    """Whether rows that are staged would be joined to other rows now."""
    select, known = _row_wise(work, source), json.loads(facts["contents"])
    changed = {name for name, of_raw in files.items() if of_raw != known["files"][name]}
    if select is None or not changed - {select.grows}:
        return False
    land(_some_files(work, source, files, facts, new=False))
    return joined_tables.rows_joined_otherwise(work, source, select, known["joined"], changed) > 0


def _some_files(work: Work, source: Source, files: FileDigests, facts: Mapping[str, Any], *, new: bool) -> Readers:
    """Readers of a source: of all that is joined, and of the table that grows its new files, or those of before."""
    select, found = _row_wise(work, source), readers_of(work, source, again=True)
    if select is not None:
        known = json.loads(facts["contents"])["files"][select.grows]
        reader = found[select.grows]
        pairs = zip(reader.files, files[select.grows], strict=True)
        reader.files = [file for file, digests in pairs if (digests not in known) == new]
    return found


def _is_alone(work: Work, source: Source) -> bool:
    """Make the new rows a relation; return whether each has its place for itself among them."""
    for step in staging_table.steps(source):
        work.engine.cache(step.table, step.text)
    if work.engine.run(staging_table.rival_rows(source).text).num_rows:
        return False
    work.engine.cache(new_rows.NEW, staging_table.unordered(source).text)
    return True


def _met(work: Work, source: Source, before: TableVersion) -> list[Location]:
    """Find the staged rows whose keys new rows have; return the files in which they lie."""
    for number, file in enumerate(before.files):
        _scan_files(work, new_rows.file_relation(number), before, [file])
    met = new_rows.met(source, len(before.files))
    work.engine.cache(met.table, met.text)
    return _files(work, before, f"SELECT DISTINCT file_number FROM {new_rows.MET} ORDER BY 1")


def _is_claimed(work: Work, source: Source, before: TableVersion, files: Sequence[Location]) -> bool:
    """Whether a new row claims the place of a staged one that it is not exactly like."""
    if not files:
        return False
    _scan_files(work, new_rows.AGAIN, before, files)
    (found,) = work.engine.run(new_rows.rivals(source).text).to_pylist()
    return bool(found["rivals"])


def _changed(work: Work, source: Source, before: TableVersion) -> list[Location]:
    """Tell until when each version of the keys of both sides is known; return the files where that changes."""
    versions = new_rows.versions_now(source)
    work.engine.cache(versions.table, versions.text)
    return _files(work, before, new_rows.files_again().text)


def _files(work: Work, before: TableVersion, select: str) -> list[Location]:
    return [before.files[row["file_number"]] for row in work.engine.run(select).to_pylist()]


def _scan_files(work: Work, relation: str, version: TableVersion, files: Sequence[Location]) -> None:
    work.engine.scan(relation, files, version.schema, version.partition_by)

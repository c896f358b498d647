"""All versions of a table are written anew without some rows: readable by number, whole, and equal but for those."""

from __future__ import annotations

import json
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tenure.checks.in_memory import schema_of
from tenure.define.contract_base import Contract
from tenure.errors import DamagedLake
from tenure.store import rewriting
from tenure.store.history import forgotten_on, history
from tenure.store.integrity import survey
from tenure.store.lake import Lake

ROWS = Contract(table="rows", keys=("number",), columns={"number": "int64", "text": "string"})
DAYS = Contract(
    table="days", keys=("number", "day"), columns={"number": "int64", "day": "string"}, partition_by=("day",)
)
GONE = 7


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "lake")
    with made.locked():
        yield made


def table(contract, rows):
    return pa.Table.from_pylist(rows, schema=schema_of(contract))


def twelve_versions(lake):
    """Appends, an overwrite and a restored order of things: of 12 versions, most hold the number 7."""
    for version in range(12):
        rows = [{"number": n, "text": f"{n} of {version}"} for n in range(version, version + 9)]
        mode = "overwrite" if version % 5 == 0 else "append"
        lake.write(table(ROWS, rows), ROWS, mode=mode, fingerprint=f"print {version}")


def partitions(lake):
    for version in range(12):
        day = f"2024-01-{1 + version % 4:02}"
        rows = [{"number": n, "day": day} for n in range(version, version + 5)]
        lake.write_partition(table(DAYS, rows), DAYS, {"day": day}, fingerprint=f"print {version}")


def without(rows):
    kept = rows.filter(pc.not_equal(rows["number"], GONE))
    return None if kept.num_rows == rows.num_rows else kept


def contents(lake, name, most=12):
    """Each version's rows in order, its fingerprint and its columns."""
    found = []
    for number in range(most):
        version = lake.find(name, number)
        rows = sorted(lake.read(name, version=number).to_pylist(), key=str)
        assert version.rows == len(rows)
        found.append((rows, version.fingerprint, version.schema))
    return found


def expected(before):
    return [([row for row in rows if row["number"] != GONE], *more) for rows, *more in before]


@pytest.mark.parametrize(("make", "name"), [(twelve_versions, "rows"), (partitions, "days")])
def test_every_version_is_equal_but_for_the_rows_that_went(lake, make, name):
    make(lake)
    before = contents(lake, name)
    done = rewriting.rewrite(lake, name, without)
    assert contents(lake, name) == expected(before)
    newest = lake.require(name)
    assert (newest.version, newest.fingerprint) == (12, "print 11")
    commits = {commit.version: commit.kind for commit in history(lake, name)}
    assert commits[12] == "forget"
    assert set(commits.values()) == {"", "forget"}
    assert done.files > 3
    assert not survey(lake).damages
    assert not survey(lake).strangers


def test_no_file_and_no_log_tells_of_the_rows_that_went(lake):
    lake.write(table(ROWS, [{"number": GONE, "text": "seven"}, {"number": 3, "text": "three"}]), ROWS)
    rewriting.rewrite(lake, "rows", without)
    (file,) = lake.data_files("rows")
    statistics = pq.read_metadata(file).row_group(0).column(0).statistics
    assert (statistics.min, statistics.max) == (3, 3)
    logs = [log.read_text() for log in sorted((lake.path("rows") / "_delta_log").glob("*.json"))]
    stats = [
        json.loads(json.loads(line)["add"]["stats"]) for log in logs for line in log.splitlines() if '"add"' in line
    ]
    assert stats == [{"numRecords": 1, "minValues": {"number": 3}, "maxValues": {"number": 3}}]


def test_a_file_of_those_rows_alone_is_empty_and_its_version_is_there(lake):
    lake.write(table(ROWS, [{"number": GONE, "text": "seven"}]), ROWS)
    rewriting.rewrite(lake, "rows", without)
    assert lake.read("rows", version=0).num_rows == 0


def test_checkpoints_name_the_new_files_too(lake):
    twelve_versions(lake)
    before = contents(lake, "rows")
    delta = lake.open_delta("rows")
    with lake.committing("rows"):
        delta.create_checkpoint()
    assert list((lake.path("rows") / "_delta_log").glob("*.checkpoint.parquet"))
    rewriting.rewrite(lake, "rows", without)
    assert contents(lake, "rows") == expected(before)
    assert not survey(lake).damages


def test_what_holds_no_such_row_is_left_alone(lake):
    lake.write(table(ROWS, [{"number": 3, "text": "three"}]), ROWS)
    assert rewriting.affected(lake, "rows", without) == rewriting.Rewritten("rows")
    assert rewriting.rewrite(lake, "rows", without) == rewriting.Rewritten("rows")
    assert lake.require("rows").version == 0


def test_a_later_restore_is_no_forgetting(lake):
    twelve_versions(lake)
    rewriting.rewrite(lake, "rows", without)
    assert forgotten_on(lake, "rows", 11)
    assert not forgotten_on(lake, "rows", 12)


class Killed(BaseException):
    """What a test raises in the place of a kill."""


@pytest.mark.parametrize("place", [0, 1, 2, 5, 9, 13, 14])
def test_a_run_that_is_killed_leaves_every_version_readable_and_is_ended_by_the_next(lake, monkeypatch, place):
    twelve_versions(lake)
    before = contents(lake, "rows")
    calls = 0

    def dying(kept):
        def written(*given):
            nonlocal calls
            calls += 1
            if calls > place:
                raise Killed
            return kept(*given)

        return written

    with monkeypatch.context() as patched:
        patched.setattr(rewriting, "write_whole", dying(rewriting.write_whole))
        patched.setattr(rewriting, "write_own", dying(rewriting.write_own))
        patched.setattr(Lake, "commit_of_kind", dying(Lake.commit_of_kind))
        with suppress(Killed):
            rewriting.rewrite(lake, "rows", without)
    again = Lake(lake.folder)
    for found, as_it_was, as_it_is_to_be in zip(contents(again, "rows"), before, expected(before), strict=True):
        assert found[1:] == as_it_was[1:]
        # Of several files of a version some may be new already, each row once.
        rows = [row for row in found[0] if row["number"] != GONE]
        assert (rows, found[1:]) == (as_it_is_to_be[0], as_it_is_to_be[1:])
        assert len(found[0]) <= len(as_it_was[0])
    rewriting.rewrite(again, "rows", without)
    assert contents(again, "rows") == expected(before)
    assert not survey(again).damages
    assert not survey(again).strangers
    assert any(commit.kind == "forget" for commit in history(again, "rows"))


def test_a_log_that_somebody_changed_meanwhile_is_damage_still(lake, monkeypatch):
    twelve_versions(lake)

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(rewriting, "write_whole", killed)
        with pytest.raises(Killed):
            rewriting.rewrite(lake, "rows", without)
    log = lake.path("rows") / "_delta_log" / f"{3:020}.json"
    log.write_bytes(log.read_bytes().replace(b'"dataChange":true', b'"dataChange":false'))
    with pytest.raises(DamagedLake):
        Lake(lake.folder).find("rows")

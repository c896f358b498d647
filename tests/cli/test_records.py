"""What `--json` prints: declared records alone, with their kind and schema, as docs/json.md says."""

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from tiny_bank import write_tiny_bank
from typer.testing import CliRunner

from tenure import cli
from tenure.cli.records import RECORDS, json_reference

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
BY_KIND = {record.kind: record for record in RECORDS}


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("records") / "bank")
    assert printed("run", "--to", "training_set", folder=folder)
    return folder


def printed(*arguments, folder, code=0):
    done = CliRunner().invoke(cli.app, [*arguments, "--project", str(folder), "--json"])
    assert (done.exit_code, done.stderr) == (code, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        (["run", "--to", "splits"], {"stage"}),
        (["labels"], {"stage"}),
        (["status"], {"stage"}),
        (["backfill"], {"stage"}),
        (["materialize"], {"stage"}),
        (["plan"], {"plan"}),
        (["check"], {"confirmation"}),
        (["verify", "--rows", "--oracle", "--leaks"], {"proof", "finding"}),
        (["features", "list"], {"feature"}),
        (["features", "search", "paid"], {"feature"}),
        (["features", "describe", "large_count_90d"], {"feature"}),
        (["lineage", "large_count_90d"], {"lineage"}),
        (["history"], {"table_version"}),
        (["history", "features"], {"table_version"}),
        (["show", "labels"], {"row"}),
        (["docs"], {"document"}),
        (["diff", "labels", "0", "0"], {"diff", "column_diff"}),
    ],
)
def test_every_line_is_a_declared_record_with_every_field(bank, arguments, kinds):
    records = printed(*arguments, folder=bank)
    assert {record["record"] for record in records} <= kinds
    assert records
    for record in records:
        declared = BY_KIND[record["record"]]
        assert list(record) == ["record", "schema", *(part.name for part in fields(declared))]
        assert record["schema"] == declared.schema


def test_damage_and_files_of_others_are_declared_records(bank):
    stranger = bank / "lake" / "labels" / "notes.parquet"
    stranger.write_bytes(b"")
    try:
        (record,) = printed("verify", "--integrity", folder=bank)
    finally:
        stranger.unlink()
    assert record == {"record": "stranger", "schema": 1, "file": str(Path("labels/notes.parquet"))}
    (data,) = list((bank / "lake" / "labels").glob("*.parquet"))
    whole, times = data.read_bytes(), data.stat()
    data.write_bytes(whole[:-1])
    try:
        done = CliRunner().invoke(cli.app, ["verify", "--integrity", "--project", str(bank), "--json"])
    finally:
        data.write_bytes(whole)
        os.utime(data, ns=(times.st_atime_ns, times.st_mtime_ns))
    (record,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (record["record"], record["table"], record["file"]) == ("damage", "labels", str(Path("labels") / data.name))


def test_status_says_of_a_run_what_the_run_said(bank):
    run = {r["stage"]: r for r in printed("run", "--to", "splits", folder=bank)}
    status = {r["stage"]: r for r in printed("status", folder=bank)}
    for stage, record in run.items():
        same = ("status", "rows", "message", "run_id", "fingerprint", "checks")
        assert [status[stage][name] for name in same] == [record[name] for name in same]


def test_every_record_has_its_own_kind_and_every_field_a_meaning():
    assert len(BY_KIND) == len(RECORDS)
    for record in RECORDS:
        hints = get_type_hints(record, include_extras=True)
        assert all(len(get_args(hints[part.name])) == 2 for part in fields(record))


def test_the_page_is_the_reference():
    assert PAGE.read_text(encoding="utf-8") == json_reference()

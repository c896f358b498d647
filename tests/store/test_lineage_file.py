"""The lineage file: a line an event, on disk and on S3; part of the lake to a copy, a sweep and the integrity check."""

import json
import stat
import sys

import pytest

from tenure.errors import StoreError
from tenure.store.integrity import survey
from tenure.store.lake import Lake
from tenure.store.lineage_file import LineageFile

FIRST, SECOND, THIRD = {"eventType": "START"}, {"message": "Zürich,\n\u2028a line"}, {"eventType": "FAIL"}


@pytest.fixture(params=["local", "s3"])
def folder(request, tmp_path):
    return tmp_path / "lake" if request.param == "local" else request.getfixturevalue("prefix")


def lines(file):
    return [json.loads(line) for line in file.read_bytes().decode().split("\n")[:-1]]


def test_events_are_added_in_order_a_line_each(folder):
    file = LineageFile(folder, "20240731T101500-3f2a9c")
    file.add([FIRST, SECOND])
    file.add([THIRD])
    assert file.file == folder / "lineage" / "20240731T101500-3f2a9c.jsonl"
    assert lines(file.file) == [FIRST, SECOND, THIRD]
    LineageFile(folder, "20240731T101501-000000").add([THIRD])
    assert len(lines(file.file)) == 3


def test_the_integrity_check_takes_it_for_no_stranger_and_no_table(folder):
    lake = Lake(folder)
    with lake.locked():
        LineageFile(folder, "20240731T101500-3f2a9c").add([FIRST])
        found = survey(lake)
        assert lake.tables() == []
    assert (found.damages, found.strangers) == ((), ())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
def test_it_is_the_owners_alone_and_follows_no_link(tmp_path):
    lake = Lake(tmp_path / "lake")
    file = LineageFile(lake.folder, "20240731T101500-3f2a9c")
    with lake.writing():
        file.add([FIRST])
    assert stat.S_IMODE(file.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.file.parent.stat().st_mode) == 0o700
    outside = tmp_path / "outside"
    outside.write_text("mine")
    file.file.unlink()
    file.file.symlink_to(outside)
    with pytest.raises(StoreError, match="is a link"):
        file.add([FIRST])
    assert outside.read_text() == "mine"

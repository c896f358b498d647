"""A lake of format 0, as an older Tenure wrote it, is taken into a new lake with its rows, and goes on from there."""

import sys
from datetime import date

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake
from tiny_bank import write_tiny_bank

from tenure.cli import application
from tenure.errors import LakeFormat, StoreError
from tenure.session.moving import migrate_lake
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.store.integrity import survey
from tenure.store.lake import Lake

SCORES = pa.table(
    {
        "customer_id": [1, 2],
        "snapshot_date": [date(2023, 12, 31)] * 2,
        "model_version": ["rule-1"] * 2,
        "score": [0.5, 0.25],
        "rank": pa.array([1, 2], pa.int64()),
        "decile": pa.array([1, 6], pa.int64()),
    }
)
TILES = pa.table(
    {"customer_id": [1, 2, 1], "period_end": [date(2024, 1, 31)] * 2 + [date(2024, 2, 29)], "n": [3, 4, 5]}
)


@pytest.fixture
def bank(tmp_path):
    """A bank whose old lake, of two versions of a table, lies beside the place of the new one."""
    folder = write_tiny_bank(tmp_path / "bank")
    old = folder / "lake-old"
    noted = CommitProperties(
        custom_metadata={"tenure.fingerprint": "abc", "tenure.partitions": '{"2024-01-31": {"rows": "1"}}'}
    )
    write_deltalake(old / "scores", SCORES.slice(0, 1))
    write_deltalake(old / "scores", SCORES, mode="overwrite")
    write_deltalake(old / "tiles" / "payments", TILES, partition_by=["period_end"], commit_properties=noted)
    (old / "models" / "files" / "rule-1").mkdir(parents=True)
    (old / "models" / "files" / "rule-1" / "rule.json").write_text("{}")
    write_deltalake(old / "models", pa.table({"model_version": ["rule-1"], "champion": [True]}))
    return folder


def test_the_newest_version_of_each_table_is_taken_over(bank):
    before = {path: path.read_bytes() for path in (bank / "lake-old").rglob("*") if path.is_file()}
    assert [version.table for version in migrate_lake(bank, "lake-old")] == ["models", "scores", "tiles/payments"]
    lake = Lake(bank / "lake")
    assert lake.read("scores").equals(SCORES)
    assert lake.read("tiles/payments").sort_by([("n", "ascending")]).select(TILES.column_names).equals(TILES)
    tiles = lake.require("tiles/payments")
    assert (tiles.partition_by, tiles.fingerprint) == (("period_end",), "abc")
    assert tiles.partitions == {"2024-01-31": {"rows": "1"}}
    assert (lake.path("models") / "files" / "rule-1" / "rule.json").read_text() == "{}"
    with lake.locked():
        assert survey(lake).damages == ()
    assert {path: path.read_bytes() for path in (bank / "lake-old").rglob("*") if path.is_file()} == before


def test_a_run_goes_on_from_there(bank):
    list(migrate_lake(bank, "lake-old"))
    with Work.open(bank, overrides={"verify": {"customers": 0}}) as work:
        done = {ended.stage: ended.status for ended in run(work, stages_between("staging", "features"))}
        assert done.pop("reconcile") == "current", "nothing is declared"
        assert set(done.values()) == {"built"}
        assert work.lake.read("scores").equals(SCORES)


def test_the_cure_that_an_old_lake_names_is_the_right_cure(bank, monkeypatch, capsys):
    (bank / "lake-old").rename(bank / "lake")
    with pytest.raises(LakeFormat, match="format 0") as refused:
        Work.look(bank)
    assert f"mv {bank / 'lake'} {bank / 'lake'}-old" in refused.value.hint
    assert f"'tenure lake migrate {bank / 'lake'}-old'" in refused.value.hint
    (bank / "lake").rename(bank / "lake-old")
    monkeypatch.setattr(sys, "argv", ["tenure", "lake", "migrate", str(bank / "lake-old"), "--project", str(bank)])
    with pytest.raises(SystemExit) as ended:
        application.main()
    assert not ended.value.code
    assert "scores" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("nothing there", "it holds no tables"),
        ("a new lake", "it has a _lake.json"),
        ("a place that is taken", "holds something"),
    ],
)
def test_what_is_no_old_lake_or_no_new_place_is_refused(bank, wrong, told):
    source = "lake-old"
    if wrong == "nothing there":
        source = "data"
    elif wrong == "a new lake":
        (bank / "lake-old" / "_lake.json").write_text("{}")
    else:
        (bank / "lake").mkdir()
        (bank / "lake" / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=told):
        list(migrate_lake(bank, source))


def test_a_table_that_cannot_be_read_is_named(bank):
    next((bank / "lake-old" / "scores" / "_delta_log").glob("*.json")).write_text("no log")
    with pytest.raises(StoreError, match="table 'scores' of the old lake can't be read"):
        list(migrate_lake(bank, "lake-old"))

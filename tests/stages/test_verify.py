"""`tenure verify --integrity` on the command line: every damaged file by name, exit 6, and a line in the ledger."""

import json
import sys

import pytest
from tiny_bank import write_tiny_bank

from tenure import cli
from tenure.session.work import Work
from tenure.stages.run import run, stages_between


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("integrity") / "bank")
    with Work.open(folder, overrides={"verify": {"customers": 0}}) as work:
        for _ in run(work, stages_between("staging", "features")):
            pass
    return folder


@pytest.fixture
def command(monkeypatch, capsys):
    def called(*arguments):
        monkeypatch.setattr(sys, "argv", ["tenure", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return called


def test_a_whole_lake_is_told_and_recorded(bank, command):
    code, out, err = command("verify", "--integrity", "--project", bank)
    assert (code, err) == (0, "")
    assert out.startswith("ok  integrity: ")
    _, out, _ = command("status", "--project", bank)
    assert out.splitlines()[-1].split()[:2] == ["integrity", "proved"]


def test_damage_is_named_with_table_version_and_partition_and_is_exit_6(bank, command):
    lake = bank / "lake"
    (file, *_) = sorted((lake / "features" / "snapshot_date=2024-02-29").glob("*.parquet"))
    whole, stranger = file.read_bytes(), lake / "snapshots" / "part-1.parquet"
    try:
        file.write_bytes(whole[:-1])
        stranger.write_bytes(b"x")
        code, out, err = command("verify", "--integrity", "--project", bank)
        assert code == 6
        place = "DAMAGED  table 'features', version 0, snapshot_date=2024-02-29: "
        assert f"{place}{file.relative_to(lake).as_posix()} is not as it was written" in out
        assert "note  snapshots/part-1.parquet: Tenure did not write it, or an old lake left it; it stays" in out
        assert "1 file of" in err
        assert "run 'tenure repair': it moves them aside" in err
        _, out, _ = command("status", "--project", bank)
        assert out.splitlines()[-1].split()[:2] == ["integrity", "failed"]
        code, out, _ = command("verify", "--integrity", "--json", "--project", bank)
        found = [json.loads(line) for line in out.splitlines()]
        assert found[0]["table"] == "features"
        assert found[0]["partition"] == "snapshot_date=2024-02-29"
        assert found[1] == {"record": "stranger", "schema": 1, "file": "snapshots/part-1.parquet"}
    finally:
        file.write_bytes(whole)
        stranger.unlink()


def test_no_run_and_no_unchanged_stage_says_current_over_damage(bank, command):
    (file, *_) = sorted((bank / "lake" / "tiles" / "payments").rglob("*.parquet"))
    whole = file.read_bytes()
    try:
        file.unlink()
        code, out, err = command("run", "--to", "features", "--project", bank)
        assert code == 7
        assert "features" not in out
        assert "table 'tiles/payments'" in err
        assert f"'{file.name}' of partition {file.parent.name} is gone" in " ".join(err.split())
    finally:
        file.write_bytes(whole)

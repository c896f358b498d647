"""Repair after damage of any file: everything that can be made again is as before, and the rest is named as lost.

TENURE_REPAIRS=1000 TENURE_SEED=5 .venv/bin/pytest tests/faults/test_repair.py    does so 1,000 times, a quarter on S3
"""

import os
import random
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
from conftest import THOROUGH
from faults.harm import Harm, do_harm, named_files, some_harm, write_run_bank

from tenure.cli import application
from tenure.session.moving import copy_lake
from tenure.session.work import Work
from tenure.stages.repair import repair
from tenure.stages.run import run
from tenure.stages.verify import verify_integrity
from tenure.storage.credentials import s3_client
from tenure.storage.location import Location, below, files_below, make_folder, write_whole
from tenure.storage.s3 import S3Location
from tenure.store.history import history
from tenure.store.repair import Repaired
from tenure.store.runs import ledger

#: A log, a model and the digests of a log; files of tables and of the ledger are harmed by the other tests too.
REPAIRS = int(os.environ.get("TENURE_REPAIRS", "10" if THOROUGH else "3"))
SEED = int(os.environ.get("TENURE_SEED", "7"))

#: When a row was made, and how long that took, is not part of its content.
CLOCKS = {"created_at", "explained_at", "seconds", "training_seconds"}
#: A source staged anew is judged anew, beside what was said before.
HISTORIES = {"checks", "quality"}
#: Which files a profile was made of.
NOT_CONTENT = CLOCKS | {"digest"}


@dataclass
class Bank:
    """A project whose lake can be put back as it was."""

    folder: Path
    lake: Location
    kept: Location

    def restore(self) -> None:
        if isinstance(self.lake, Path):
            shutil.rmtree(self.lake, ignore_errors=True)
            shutil.copytree(self.kept, self.lake)
            return
        client = s3_client(self.lake.settings)
        for file in files_below(self.lake, "*"):
            file.unlink()
        for file in files_below(self.kept, "*"):
            target = self.lake / str(below(file, self.kept))
            client.copy_object(
                Bucket=target.bucket, Key=target.key, CopySource={"Bucket": file.bucket, "Key": file.key}
            )


@pytest.fixture(scope="module")
def run_bank(tmp_path_factory):
    return write_run_bank(tmp_path_factory.mktemp("repair") / "bank")


@pytest.fixture
def bank(run_bank, tmp_path):
    """The bank with its lake on this machine."""
    folder = tmp_path / "bank"
    shutil.copytree(run_bank, folder)
    shutil.copytree(folder / "lake", tmp_path / "kept")
    return Bank(folder, folder / "lake", tmp_path / "kept")


@pytest.fixture
def bank_on_s3(run_bank, tmp_path, bucket, s3_settings):
    """The bank with its lake on S3."""
    settings, lake = s3_settings, S3Location(bucket, f"repair/{uuid4().hex}/lake", s3_settings)
    folder = tmp_path / "bank"
    shutil.copytree(run_bank, folder)
    reached = f'[s3]\nendpoint = "{settings.endpoint}"\nregion = "us-east-1"\npath_style = true\n'
    written = (folder / "tenure.toml").read_text()
    (folder / "tenure.toml").write_text(f"{written}\n{reached}")
    copy_lake(folder, str(folder / "lake"), str(lake))
    shutil.rmtree(folder / "lake")
    (folder / "tenure.toml").write_text(f'{written}\n[lake]\npath = "{lake}"\n\n{reached}')
    made = Bank(folder, lake, lake.parent / "kept")
    Bank(folder, made.kept, lake).restore()
    return made


def content(bank: Bank) -> dict[str, list[str]]:
    """The newest rows of every table, in an order of their own."""
    found = {}
    with Work.look(bank.folder) as work:
        for table in work.lake.tables():
            rows = work.lake.read(table)
            cells = rows.select(sorted({*rows.column_names} - NOT_CONTENT)).to_pylist()
            found[table] = sorted(map(repr, cells))
    return found


def repaired(bank: Bank) -> list[Repaired]:
    with Work.open(bank.folder) as work:
        return [done for done in repair(work) if isinstance(done, Repaired)]


def require_whole(bank: Bank) -> None:
    with Work.open(bank.folder) as work:
        found = verify_integrity(work)
    assert (found.damages, found.strangers) == ((), ())


@pytest.mark.slow
@pytest.mark.parametrize("place", ["bank", "bank_on_s3"])
def test_what_can_be_made_again_is_as_before_and_the_rest_is_named(place, request):
    bank = request.getfixturevalue(place)
    right = content(bank)
    files = named_files(bank.lake)
    chance = random.Random(SEED)  # noqa: S311  (draws faults, no secrets)
    rounds = REPAIRS if isinstance(bank.lake, Path) else max(REPAIRS // 4, 1)
    for number in range(rounds):
        if number:
            bank.restore()
        harm = some_harm(files, chance, number)
        do_harm(harm, bank.lake, chance)
        done = repaired(bank)
        assert any(harm.file in one.moved for one in done) or harm.kind == "delete", f"{harm} was not moved: {done}"
        require_whole(bank)
        lost = {one.table for one in done if one.is_loss}
        now = content(bank)
        for table in HISTORIES - lost:
            assert {*right[table]} <= {*now[table]}
        for table in right.keys() - lost - {"runs"} - HISTORIES:
            assert now[table] == right[table], f"{harm}: {table} is another now"


def first_file(bank: Bank, table: str, number: int = 0) -> str:
    with Work.look(bank.folder) as work:
        return str(work.lake.require(table).files[number]).removeprefix(f"{bank.lake}/")


@pytest.mark.parametrize("tables", [("quarantine/payments", "features"), ("tiles/payments", "split_proof", "intake")])
def test_a_lost_file_is_built_again_and_old_versions_stay(bank, tables):
    """Those that lie beside a table that is current too; no two of those lost at once lie beside one another."""
    right = content(bank)
    for table in tables:
        do_harm(Harm("delete", first_file(bank, table)), bank.lake, random.Random(1))  # noqa: S311
    repaired(bank)
    require_whole(bank)
    now = content(bank)
    with Work.look(bank.folder) as work:
        for table in tables:
            assert now[table] == right[table], table
            assert len(list(history(work.lake, table))) > 1, table


@pytest.mark.parametrize("kind", ["its log", "a file"])
def test_a_lost_profile_is_taken_anew_of_the_rows_that_are_staged(bank, kind):
    """Without it the next delivery would be held against nothing."""
    right = content(bank)
    lost = "monthly_profiles/_delta_log/00000000000000000000.json" if kind == "its log" else ""
    do_harm(Harm("delete", lost or first_file(bank, "monthly_profiles")), bank.lake, random.Random(1))  # noqa: S311
    repaired(bank)
    require_whole(bank)
    assert content(bank)["monthly_profiles"] == right["monthly_profiles"]


def test_the_newest_row_of_the_ledger_is_missed_when_it_is_taken_away(bank):
    with Work.open(bank.folder) as work:
        list(run(work, ["staging"]))
        before = work.lake.require("runs").version
    for file in files_below(bank.lake / "runs", "*"):
        file.unlink()
    for file in files_below(bank.kept / "runs", "*"):
        place = bank.lake / str(below(file, bank.kept))
        make_folder(place.parent)
        write_whole(place, file.read_bytes())
    with Work.open(bank.folder) as work:
        assert work.lake.require("runs").version < before
        (damage,) = verify_integrity(work).damages
        assert damage.file == "_ledger.json"
        assert "its newest are gone" in damage.problem
        (again,) = verify_integrity(work).damages
        assert again == replace(damage, problem=again.problem), "a row that comes later hides nothing"
    (done,) = repaired(bank)
    assert done.table == "runs"
    require_whole(bank)


def test_the_verb_says_what_it_moved_and_what_is_lost(bank, verb):
    do_harm(Harm("cut", first_file(bank, "manifests")), bank.lake, random.Random(1))  # noqa: S311
    assert "'tenure repair'" in verb("verify", "--integrity", code=6)
    said = verb("repair")
    assert "LOST  manifests: the rows of a damaged file are lost, the others stay" in said
    assert "(1 moved to damaged/" in said
    assert "ok  nothing is damaged" in verb("repair")
    with Work.look(bank.folder) as work:
        rows = [row for row in ledger(work.lake) if row["stage"] == "repair"]
    assert [row["rows"] for row in rows] == [1]
    assert "lost of manifests" in str(rows[0]["message"])


@pytest.fixture
def verb(bank, monkeypatch, capsys):
    """Run the command; return all that it printed."""

    def ran(*words: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["tenure", *words, "--project", str(bank.folder)])
        with pytest.raises(SystemExit) as ended:
            application.main()
        said = "".join(capsys.readouterr())
        assert (ended.value.code or 0) == code, said
        return said

    return ran

"""A model file that is not the one registered is named, never used; training puts it right."""

import json
import re
import shutil

import pytest
from tiny_bank import write_leavers, write_tiny_bank

from tenure.catalog.models import newest_training
from tenure.define.contract_base import Contract
from tenure.errors import DamagedModel, UnsafeModelFile
from tenure.model.registry import load_model
from tenure.session.work import Work
from tenure.stages.run import run
from tenure.store.model_files import (
    damaged_model_files,
    digests,
    folder_of,
    unverifiable_models,
    write_model_files,
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("models") / "bank")
    write_leavers(folder / "data")
    with opened(folder) as work:
        list(run(work))
    return folder


@pytest.fixture
def bank(built, tmp_path):
    return shutil.copytree(built, tmp_path / "bank")


def opened(folder):
    return Work.open(folder, overrides={"train": {"trials": 1}})


def files_of(work, kind):
    """The folder of the newest version of a kind, and the version."""
    version = next(row["model_version"] for row in newest_training(work) if row["kind"] == kind)
    return folder_of(work.lake, version), version


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def change_digits(file):
    """Change numbers and leave the structure whole."""
    file.write_bytes(re.sub(rb"[0-8]", b"9", file.read_bytes(), count=5))


DAMAGE = {
    "a byte flipped": (flip, "was changed: its SHA-256 is [0-9a-f]{12}…, registered is"),
    "changed digits": (change_digits, "was changed"),
    "cut": (lambda file: file.write_bytes(file.read_bytes()[:-400]), "was changed"),
    "emptied": (lambda file: file.write_bytes(b""), "was changed"),
    "missing": (lambda file: file.unlink(), "is missing"),
    "a folder in its place": (lambda file: (file.unlink(), file.mkdir()), "can't be read"),
    "an extra file": (lambda file: (file.parent / "extra.txt").write_text("x"), "is not one that was registered"),
    "its folder gone": (lambda file: shutil.rmtree(file.parent), "is missing"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_by_every_stage_that_reads_models_and_training_anew_ends_it(bank, damage):
    do, told = DAMAGE[damage]
    with opened(bank) as work:
        champion = newest_training(work)[0]
        folder, version = folder_of(work.lake, champion["model_version"]), champion["model_version"]
        name = max(json.loads(champion["files"]))
        do(folder / name)
        found = list(damaged_model_files(work.lake))
        assert {f.model_version for f in found} == {version}
        assert folder in found[0].path.parents
        for stage in ("score", "explain", "evaluate"):
            with pytest.raises(DamagedModel, match=rf"of model '{version}' {told}") as caught:
                list(run(work, [stage]))
            assert caught.value.hint == "Run 'tenure train'."
        (record,) = run(work, ["train"])
        assert (record.status, version in record.message) == ("built", True)
        assert "trained anew" in record.message
        assert list(damaged_model_files(work.lake)) == []
        # The same data give the same model, so what was made with it stays as it is.
        assert newest_training(work)[0]["model_version"] == version
        assert [r.status for r in run(work, ["evaluate", "score", "explain", "segment", "report"])] == ["current"] * 5


def test_damage_of_a_model_that_is_not_champion_is_found_too(bank):
    with opened(bank) as work:
        flip(files_of(work, newest_training(work)[-1]["kind"])[0] / "model.json")
        with pytest.raises(DamagedModel, match=r"file 'model\.json' of model"):
            list(run(work, ["evaluate"]))
        assert next(iter(run(work, ["train"]))).status == "built"


def test_damage_of_an_earlier_training_is_listed(bank):
    with opened(bank) as work:
        _, before = files_of(work, "lightgbm")
    with Work.open(bank, overrides={"train": {"trials": 2, "models": ("lightgbm",), "seed": 8}}) as work:
        list(run(work, ["train"]))
        assert before not in {row["model_version"] for row in newest_training(work)}
        (folder_of(work.lake, before) / "0-model.txt").unlink()
        assert [(f.model_version, f.problem) for f in damaged_model_files(work.lake)] == [(before, "is missing")]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_cut_text_never_reaches_lightgbm(bank, share):
    """LightGBM ends the process at some cuts, so even a caller without a registry is refused first."""
    with opened(bank) as work:
        folder, _ = files_of(work, "lightgbm")
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    text = files["0-model.txt"]
    with pytest.raises(UnsafeModelFile, match="no whole text"):
        load_model({**files, "0-model.txt": text[: int(len(text) * share)]})


def test_a_killed_write_leaves_the_old_files_or_the_new_ones(bank, monkeypatch):
    with opened(bank) as work:
        folder, version = files_of(work, "rule")
        before = {file.name: file.read_bytes() for file in folder.iterdir()}
        flip(folder / "0-rule.json")

        def killed(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr("tenure.store.model_files.os.fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            write_model_files(work.lake, version, before)
        assert {f.path.name for f in damaged_model_files(work.lake)} == {"0-rule.json"}
        monkeypatch.undo()
        write_model_files(work.lake, version, before)
        assert list(damaged_model_files(work.lake)) == []


def test_whole_files_are_not_written_again(bank):
    with opened(bank) as work:
        folder, version = files_of(work, "rule")
        before = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
        write_model_files(work.lake, version, {file.name: file.read_bytes() for file in before})
        assert {file: file.stat().st_mtime_ns for file in before} == before


def test_a_registry_of_an_older_tenure_is_trained_anew_and_its_versions_are_listed_as_unverifiable(bank):
    with opened(bank) as work:
        old = work.lake.read("models").drop_columns(["files", "definitions", "inputs"])
        version = newest_training(work)[0]["model_version"]
        work.lake.write(
            contract=Contract(table="models"), rows=old, fingerprint=work.lake.require("models").fingerprint
        )
        assert list(damaged_model_files(work.lake)) == []
        assert version in unverifiable_models(work.lake)
        with pytest.raises(DamagedModel, match="keeps no digests of the files"):
            list(run(work, ["score"]))
        assert next(iter(run(work, ["train"]))).status == "built"
        assert unverifiable_models(work.lake) == []
        assert next(iter(run(work, ["score"]))).status == "current"


def test_equal_files_have_equal_digests_whatever_their_order():
    assert digests({"a": b"1", "b": b"2"}) == digests({"b": b"2", "a": b"1"})

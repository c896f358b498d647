"""What is computed depends on what files hold: not on their times, their folder, or the machine's threads."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from tiny_bank import with_train, write_tiny_bank

from tenure.intake.staging import restaged
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

SETTINGS = """
[verify]
customers = 5
"""

#: Tables that carry a run's own time or run id, so that only their fingerprints can be compared.
FINGERPRINTED = ("staging/payments", "snapshots", "features", "labels", "training_set", "models", "scores", "reasons")


def bank(folder: Path) -> Path:
    write_tiny_bank(folder, customers=240)
    toml = folder / "tenure.toml"
    toml.write_text(with_train(toml.read_text(), "trials = 2") + SETTINGS)
    return folder


def outcome(folder: Path, *, threads: int = 0, data: Path | None = None) -> dict[str, object]:
    overrides = {"engine": {"threads": threads}}
    with Work.open(folder, data=data, overrides=overrides) as work:
        for _ in run(work):
            pass
        models = work.read("models").select(["model_version", "parameters", "champion"]).sort_by("model_version")
        return {
            **{table: work.lake.require(table).fingerprint for table in FINGERPRINTED},
            "models": models.to_pylist(),
            "list": (work.output / "attrition_list.csv").read_bytes(),
        }


@pytest.mark.slow
def test_other_times_another_folder_and_other_threads_give_the_same_models_and_list(tmp_path):
    here = bank(tmp_path / "here")
    expected = outcome(here, threads=1)
    there = tmp_path / "a folder" / "of another machine"
    shutil.copytree(here, there, ignore=shutil.ignore_patterns("lake", "out"))
    elsewhere = tmp_path / "raw files elsewhere"
    (there / "data").rename(elsewhere)
    for file in elsewhere.iterdir():
        os.utime(file, (1_000_000_000, 1_000_000_000))
    found = outcome(there, threads=2, data=elsewhere)
    differing = [name for name in expected if found[name] != expected[name]]
    assert not differing


def stage(folder: Path, **overrides: object) -> list[str]:
    with Work.open(folder, overrides={"data": overrides} if overrides else None) as work:
        return [record.status for record in run(work, stages_between("staging", "staging"))]


def replaced(folder: Path, way: str) -> None:
    """Put other bytes of equal size in place of payments.csv, with the old file's mtime put back."""
    file = folder / "data" / "payments.csv"
    before, content = file.stat(), file.read_bytes()
    other = content.replace(b"2024-01-0", b"2024-01-1")
    assert len(other) == len(content)
    assert other != content
    keep = folder / "kept.csv"
    shutil.copy2(file, keep)
    if way == "written in place":
        file.write_bytes(other)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif way == "touch -r":
        file.write_bytes(other)
        subprocess.run(["touch", "-r", str(keep), str(file)], check=True)
    elif way == "cp -p":
        (folder / "other.csv").write_bytes(other)
        os.utime(folder / "other.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
        subprocess.run(["cp", "-p", str(folder / "other.csv"), str(file)], check=True)
    elif way == "renamed over":
        (folder / "other.csv").write_bytes(other)
        os.utime(folder / "other.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
        (folder / "other.csv").replace(file)
    else:
        (folder / "other.csv").write_bytes(other)
        os.utime(folder / "other.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
        with tarfile.open(folder / "backup.tar", "w") as tar:
            tar.add(folder / "other.csv", "payments.csv")
        with tarfile.open(folder / "backup.tar") as tar:
            tar.extract("payments.csv", folder / "data", filter="fully_trusted")
    after = file.stat()
    assert (after.st_size, after.st_mtime) == (before.st_size, pytest.approx(before.st_mtime, abs=1e-6))


@pytest.mark.parametrize("way", ["written in place", "touch -r", "cp -p", "renamed over", "tar"])
def test_a_file_replaced_by_one_of_equal_size_and_time_is_staged_anew(tmp_path, way):
    folder = write_tiny_bank(tmp_path / "bank")
    assert stage(folder) == ["built"]
    assert stage(folder) == ["current"]
    replaced(folder, way)
    with Work.open(folder) as work:
        assert list(restaged(work)) == ["payments"], "the plan sees it too"
    assert stage(folder) == ["built"]
    assert stage(folder) == ["current"]


@pytest.mark.parametrize("trust", [True, False])
def test_touched_files_of_the_same_content_are_current(tmp_path, trust):
    folder = write_tiny_bank(tmp_path / "bank")
    stage(folder, trust_times=trust)
    os.utime(folder / "data" / "payments.csv", (1_000_000_000, 1_000_000_000))
    assert stage(folder, trust_times=trust) == ["current"]


def test_trust_times_false_reads_what_a_stamp_would_hide(tmp_path, monkeypatch):
    folder = write_tiny_bank(tmp_path / "bank")
    stage(folder, trust_times=False)
    stamp = (1, 2, 3, 4)
    monkeypatch.setattr("tenure.store.digests.stamp", lambda _: stamp)  # a file system without ctime and inodes
    stage(folder)
    replaced(folder, "written in place")
    assert stage(folder) == ["current"], "the stamp hides it"
    assert stage(folder, trust_times=False) == ["built"]

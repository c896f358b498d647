"""A disk that is full, at any moment, is a sentence; the failed stage is in the ledger as soon as it can be."""

import errno
import os
import resource
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from faults.command import edit, rows_of_ledger, tenure
from tiny_bank import write_tiny_bank

from tenure import FeatureStore
from tenure.errors import DiskFull
from tenure.session.work import Work
from tenure.stages.run import run


@pytest.fixture
def disk(tmp_path):
    """A disk of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user can't mount a small disk; the limit of a file's size is tested below")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def bank(tmp_path, disk):
    folder = write_tiny_bank(tmp_path / "bank")
    edit(folder / "tenure.toml", "[splits]", f'[lake]\npath = "{disk / "lake"}"\n\n[splits]')
    return folder


def fill(disk: Path, *, free: int = 0) -> Path:
    """Fill the disk but for `free` bytes; return the file to remove to have room again."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    size = ballast.stat().st_size
    os.truncate(ballast, size - free)
    return ballast


def require_sentence(done, code=7):
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("DiskFull: "), done.stderr
    assert "the disk is full" in done.stderr
    assert "Free some space and run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert "None" not in done.stderr


def test_a_disk_without_a_byte_left_is_told_and_in_the_ledger_once_there_is_room(bank, disk):
    assert tenure("run", "--project", bank, "--to", "snapshots").returncode == 0
    ballast = fill(disk)
    done = tenure("features", "--project", bank)
    require_sentence(done)
    assert "stage 'features'" in done.stderr
    assert "No log could be kept in" in done.stderr
    # The ledger has no room; what happened waits in the place that was claimed, and `status` tells it.
    told = tenure("status", "--project", bank)
    assert told.returncode == 0
    assert [line.split()[:2] for line in told.stdout.splitlines()][-1] == ["features", "failed"]
    assert "the disk is full" in told.stdout
    ballast.unlink()
    assert tenure("run", "--project", bank, "--to", "features").returncode == 0
    assert rows_of_ledger(disk / "lake")[-5:] == [
        ("features", "failed"),
        ("staging", "current"),
        ("reconcile", "current"),
        ("snapshots", "current"),
        ("features", "built"),
    ]


@pytest.mark.parametrize("free", [0, 4_096, 40_960, 122_880, 204_800])
def test_a_disk_that_fills_up_at_any_point_is_told(bank, disk, free):
    ballast = fill(disk, free=free)
    done = tenure("run", "--project", bank, "--to", "features")
    require_sentence(done)
    assert str(disk) in done.stderr
    ballast.unlink()
    again = tenure("run", "--project", bank, "--to", "features")
    assert (again.returncode, again.stderr) == (0, "")


def test_the_python_face_raises_the_same_error(bank, disk, tmp_path):
    with Work.open(bank) as work:
        for _ in run(work, ["staging", "snapshots"]):
            pass
        rows = work.read("snapshots", ["customer_id", "snapshot_date"])
        ballast = fill(disk)
        with pytest.raises(DiskFull, match="stage 'features'"):
            list(run(work, ["features"]))
        job = FeatureStore(work).get_historical_features(rows, "payment_count_30d")
        with pytest.raises(DiskFull, match=r"writing '.*out\.csv'"):
            job.to_file(disk / "out.csv")
        with pytest.raises(DiskFull):
            job.persist("churners")
        assert sorted(file.name for file in disk.iterdir()) == ["ballast", "lake"]
        ballast.unlink()
        job.to_file(disk / "out.csv")
        assert job.persist("churners").rows == rows.num_rows


def test_a_limit_of_a_files_size_is_told_as_one(tmp_path):
    bank = write_tiny_bank(tmp_path / "bank")

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))

    done = tenure("run", "--project", bank, "--to", "features", preexec_fn=limited)
    assert done.returncode == 7, done.stderr
    assert done.stderr.startswith("DiskFull: "), done.stderr
    assert "a file would be larger than this process may write" in done.stderr
    assert "Traceback" not in done.stderr


def test_output_that_can_not_be_written_is_told(tmp_path):
    bank = write_tiny_bank(tmp_path / "bank")
    assert tenure("run", "--project", bank, "--to", "staging").returncode == 0
    with Path("/dev/full").open("w") as full:
        done = tenure("history", "--project", bank, stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == 7
    assert done.stderr.startswith(f"DiskFull: the output can't be written: {os.strerror(errno.ENOSPC)}.")

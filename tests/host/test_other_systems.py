"""Windows and macOS: every module of Tenure is imported without the modules of POSIX, and the lake is locked."""

import subprocess
import sys
from pathlib import PureWindowsPath

import pytest

from tenure.host.paths import _misread, duckdb_path, escaped_for_spark, require_local

#: Python has them on POSIX only.
POSIX_ONLY = ["fcntl", "grp", "pty", "pwd", "resource", "termios"]

IMPORT_ALL = """
import importlib, pkgutil, sys

for name in {posix_only!r}:
    sys.modules[name] = None
import tenure
names = [found.name for found in pkgutil.walk_packages(tenure.__path__, "tenure.")]
names.remove("tenure.cli.__main__")  # It runs the command.
for name in names:
    importlib.import_module(name)
print(len(names))
for name in {posix_only!r}:
    del sys.modules[name]
"""

LOCK = """
from pathlib import Path
from tenure.errors import LakeBusy
from tenure.store.lake import Lake

lake = Lake(Path(sys.argv[1]))
for _ in range(2):
    with lake.locked():
        try:
            with Lake(lake.folder).locked():
                print("locked twice")
        except LakeBusy as refused:
            print(refused)
"""


def test_every_module_is_imported_without_posix_and_the_lake_is_locked_and_let_go(tmp_path):
    script = IMPORT_ALL.format(posix_only=POSIX_ONLY) + LOCK
    command = [sys.executable, "-c", script, str(tmp_path / "lake")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    modules, *refusals = done.stdout.splitlines()
    assert int(modules) > 150
    assert len(refusals) == 2
    assert all("is writing to" in said for said in refusals)


WINDOWS = {
    r"C:\Users\Jürgen Müller\bank": "C:/Users/Jürgen Müller/bank",
    r"\\files\share\first bank\lake": "//files/share/first bank/lake",
    r"\\?\C:\a\very\long\path": "//?/C:/a/very/long/path",
}


@pytest.mark.parametrize("written", WINDOWS)
def test_a_path_of_windows_is_none_that_a_library_misreads(written):
    path = PureWindowsPath(written)
    assert _misread(path) == ""
    assert escaped_for_spark(PureWindowsPath(r"C:\a b\ü[1].parquet").as_posix()) == r"C:/a b/ü\[1\].parquet"
    assert duckdb_path(path).replace("[?]", "?") == WINDOWS[written]


@pytest.mark.parametrize("written", WINDOWS)
def test_a_path_of_windows_is_no_url(written):
    require_local(written, asked_by="[lake] path")


def test_a_sign_that_deltalake_misreads_is_found_in_a_path_of_windows():
    assert _misread(PureWindowsPath(r"C:\bank\50%20\lake")) == "'%20'"
    assert _misread(PureWindowsPath(r"C:\bank\region=south\lake")) == "the folder 'region=south' with its '='"

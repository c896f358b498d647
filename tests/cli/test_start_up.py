"""Start-up: a command loads the libraries that it works with, and no others. Modules are counted, since times vary."""

import subprocess
import sys

import pytest
import tiny_bank

#: Libraries, and parts of Arrow, that take a while to load.
SLOW = [
    *("adbc_driver_postgresql", "deltalake", "duckdb", "jinja2", "lightgbm", "numpy", "optuna", "pandas"),
    *("portalocker", "pyarrow", "pyarrow.compute", "pyarrow.dataset", "pyspark", "scipy", "skops", "sklearn"),
    *("sqlglot", "vl_convert", "xgboost"),
]

COMMAND = """
import atexit, sys
atexit.register(lambda: print("loaded", *(name for name in {slow!r} if name in sys.modules), file=sys.stderr))
from tenure.cli import main
main()
"""


def loaded(*arguments):
    """Which of the slow libraries a command has loaded when it ends."""
    command = [sys.executable, "-c", COMMAND.format(slow=SLOW), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split()[1:])


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    bank = tiny_bank.write_tiny_bank(tmp_path_factory.mktemp("start_up") / "bank")
    command = [sys.executable, "-m", "tenure.cli", "run", "--to", "features", "--project", str(bank)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return bank


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], ["version"], ["run", "--help"]])
def test_help_and_version_load_no_library(arguments):
    assert loaded(*arguments) == set()


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["history"], ["history", "features"]])
def test_what_tells_of_the_lake_loads_what_reads_it_and_no_engine(bank, arguments):
    # Delta and Arrow read the lake; numpy comes with Arrow, and sqlglot with the rules of sources' conditions.
    assert loaded(*arguments, "--project", bank) <= {"deltalake", "numpy", "pyarrow", "sqlglot"}


@pytest.mark.parametrize("table", ["features", "snapshots"])
def test_show_loads_its_engine_and_neither_pandas_nor_a_model(bank, table):
    allowed = {"deltalake", "duckdb", "numpy", "portalocker", "pyarrow", "sqlglot"}
    assert loaded("show", table, "--project", bank) <= allowed

"""A session opened to look: it runs no definition and writes nothing."""

import sys

import pytest
from tiny_bank import write_tiny_bank

from tenure.cli import application
from tenure.session.work import Work
from tenure.stages.run import run


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


@pytest.fixture
def tenure(monkeypatch, capsys):
    """Return a function that runs the command and returns its exit code and what it said on stderr."""

    def ran(*arguments):
        monkeypatch.setattr(sys, "argv", ["tenure", *map(str, arguments)])
        code = 0
        try:
            application.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, capsys.readouterr().err

    return ran


def build(bank, *stages, **overrides):
    with Work.open(bank, overrides={"verify": {"customers": 0}, **overrides}) as work:
        for _ in run(work, stages or ["staging", "snapshots", "features"]):
            pass


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "verb", [["status"], ["history"], ["history", "payments"], ["show", "payments"], ["show", "features"]], ids=" ".join
)
def test_who_looks_at_a_lake_runs_no_definition(bank, tenure, verb):
    build(bank)
    for file in ("sources.py", "churn.py", "features/paid.py"):
        (bank / file).write_text("raise SystemExit(99)")
    assert tenure(*verb, "-p", bank) == (0, "")


@pytest.mark.parametrize("verb", [["status"], ["history"], ["check"], ["features", "list"]], ids=" ".join)
def test_who_looks_before_the_first_run_writes_nothing(bank, tenure, verb):
    assert tenure(*verb, "-p", bank) == (0, "")
    assert not (bank / "lake").exists()
    assert not (bank / "out").exists()


def test_who_looks_leaves_the_lake_as_it_was(bank, tenure):
    build(bank)
    before = files(bank)
    for verb in (["status"], ["history"], ["show", "features"], ["check"], ["plan"]):
        assert tenure(*verb, "-p", bank)[0] == 0
    assert files(bank) == before

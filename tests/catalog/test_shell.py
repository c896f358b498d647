"""The shell: any SELECT over the lake, and no way out of it."""

import json
import shutil

import pytest
from tiny_bank import write_leavers, write_tiny_bank
from typer.testing import CliRunner

from tenure import cli
from tenure.catalog.shell import shell
from tenure.errors import EngineError, InvalidConfig, TenureError
from tenure.session.work import Work
from tenure.stages.run import run, stages_between


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("shell") / "bank")
    write_leavers(folder / "data")
    with Work.open(folder, overrides={"verify": {"customers": 0}}) as work:
        list(run(work, stages_between("staging", "labels")))
    return folder


@pytest.fixture
def asked(bank):
    with Work.open(bank) as work, shell(work) as opened:
        yield opened


def test_tables_are_asked_by_their_names(asked):
    (row,) = asked.ask(
        "SELECT COUNT(*) AS n, SUM(churned) AS left FROM labels JOIN features USING (customer_id, snapshot_date)"
    ).to_pylist()
    assert row["n"] > 0
    assert row["left"] > 0
    assert asked.ask("SELECT COUNT(*) AS n FROM staging.payments").to_pylist()[0]["n"] > 0
    assert asked.ask("EXPLAIN SELECT * FROM labels").num_rows > 0


@pytest.mark.parametrize(
    "statement",
    [
        "COPY labels TO 'out.csv'",
        "COPY (SELECT 1) TO '{lake}/labels/stray.parquet'",
        "ATTACH 'other.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CREATE TABLE x AS SELECT 1",
        "DROP VIEW labels",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "EXPORT DATABASE 'elsewhere'",
        "SELECT 1; SELECT 2",
        "",
    ],
)
def test_what_is_no_select_is_refused(asked, bank, statement):
    before = {path for path in bank.rglob("*") if "spill" not in path.parts}
    with pytest.raises(InvalidConfig, match="the shell reads alone: one SELECT at a time"):
        asked.ask(statement.format(lake=bank / "lake"))
    assert {path for path in bank.rglob("*") if "spill" not in path.parts} == before


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('{bank}/data/payments.csv')",
        "SELECT * FROM '{bank}/data/payments.csv'",
        "SELECT * FROM read_text('{bank}/tenure.toml')",
        "SELECT * FROM read_parquet('https://example.invalid/x.parquet')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "EXPLAIN ANALYZE SELECT * FROM read_text('{bank}/tenure.toml')",
    ],
)
def test_no_select_reads_anything_but_the_lake(asked, bank, statement):
    with pytest.raises(TenureError):
        asked.ask(statement.format(bank=bank))


def test_a_mistake_is_said_in_a_sentence(asked):
    with pytest.raises(EngineError, match="DuckDB can't run the statement"):
        asked.ask("SELECT nope FROM labels")


def test_the_verb_reads_statements_from_its_input(bank):
    questions = "SELECT COUNT(*) AS n\nFROM labels;\nSELECT 1 AS one"
    done = CliRunner().invoke(cli.app, ["sql", "--shell", "--project", str(bank), "--json"], input=questions)
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(row["values"]) for row in rows] == [["n"], ["one"]]
    assert rows[1]["values"]["one"] == 1


def test_the_verb_without_a_stage_says_what_there_is(bank):
    done = CliRunner().invoke(cli.app, ["sql", "--project", str(bank)])
    assert done.exit_code == 2
    assert "stages that are: staging" in done.output


def test_a_shell_leaves_the_lake_as_it_was(bank, tmp_path):
    copy = shutil.copytree(bank, tmp_path / "bank")
    before = {path: path.read_bytes() for path in (copy / "lake").rglob("*") if path.is_file()}
    with Work.open(copy) as work, shell(work) as opened:
        opened.ask("SELECT COUNT(*) FROM features")
    after = {path: path.read_bytes() for path in (copy / "lake").rglob("*") if path.is_file()}
    assert after.keys() == before.keys()
